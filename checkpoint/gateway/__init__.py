"""The gateway: trucks' own terminals, which speak JT/T 808 over TCP (2011, 2013, 2019).

The law of this package:

* A position is acknowledged after the commit that holds it. Whatever is not acknowledged the terminal sends again; what comes
  again is stored once and acknowledged again.
* A number is a claim. A terminal is let in when a coordinator enrolled its number and it shows the code that we gave it; until
  then nothing it says is laid to any vehicle.
* One connection speaks for a terminal, the newest. A terminal that is shut out is cut off at once.
* A peer costs what is written down in `listener.py` and no more: bytes held, time to prove itself, connections, commits.

`listener` has the sockets and the limits, `session` one connection, `admission` says who may come in, `keeping` gathers what
many terminals send into shared commits, `calls` finds a driver's call for help, `orders` says what a terminal is told.
"""

from __future__ import annotations

from checkpoint.gateway.limits import Limits
from checkpoint.gateway.listener import Gateway
from checkpoint.gateway.tally import Tally

__all__ = ["Gateway", "Limits", "Tally"]
