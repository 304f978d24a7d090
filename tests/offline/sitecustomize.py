"""Found by every Python whose PYTHONPATH names this folder: nothing is sent to other machines, and tries are noted.

Each try is a line in the file that MIMO_OUTGOING names.
"""

import os
import sys


LOCAL = ("127.", "::1", "localhost", "0.0.0.0")


def refuse(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        is_local = not isinstance(address, tuple) or str(address[0]).startswith(LOCAL)
    elif event == "socket.getaddrinfo":
        address = arguments[0]
        is_local = address is None or str(address).startswith(LOCAL)
    elif event == "socket.sendto":
        address = arguments[1]
        is_local = not isinstance(address, tuple) or str(address[0]).startswith(LOCAL)
    else:
        return
    if not is_local:
        with open(os.environ["MIMO_OUTGOING"], "a", encoding="utf-8") as file:
            file.write(f"{event} {address}\n")
        raise OSError(f"no network here: {event} {address}")


sys.addaudithook(refuse)
