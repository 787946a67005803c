"""A fleet that is not there, driven over real sockets: what phones, kiosks, carriers and laboratories would send.

`cast.py` says who plays what, `script.py` how a truck's day goes, `road.py` how it moves; `devices.py`, `stations.py` and
`offices.py` are the ends that speak to the server, each its own client; `fleet.py` keeps the time. The same seed plays the
same day. Nothing here reads or writes the server's data: what the board then shows, the server made of what it was sent.
"""
