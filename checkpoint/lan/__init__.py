"""Phones on the same network: a certificate authority of this machine's own, and the page that hands out its root.

A browser opens its camera and tells its position on https only, and nobody signs certificates for addresses of a local network.
So `scripts/run --lan` makes an authority that may sign for nothing but local names and addresses; whoever installs its root on
a phone can use every page there. Server and kiosk know nothing of this: they are given a certificate like any other.
"""
