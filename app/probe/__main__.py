"""The probing process: started only when a setting wants a probe, talks on file descriptor 0, ends with its parent."""

from __future__ import annotations

import os
import signal
import socket

from app import privileges


def main() -> None:
    privileges.seal()
    privileges.die_with_parent(os.getppid(), signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parents; this process ends with its socket
    from app.probe.prober import serve  # after the rights are gone: NumPy starts threads, which would keep them

    serve(socket.socket(fileno=0))


if __name__ == "__main__":
    main()
