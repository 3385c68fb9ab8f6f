"""How the program of a connection was found, or why it was not: names that cross the links, and their sentences for people."""

from __future__ import annotations

from typing import Final

TRACE, SOCK_DIAG, NAMESPACE, POLLING = "trace", "sock_diag", "procfs", "polling"
METHODS: Final[dict[str, str]] = {
    TRACE: "the kernel said it while it happened",
    SOCK_DIAG: "the socket was looked up by its addresses",
    NAMESPACE: "the socket was found in another network namespace",
    POLLING: "the system's list of connections named it",
}
# Why an end has no program, or why the answer is not certain.
REASONS: Final[dict[str, str]] = {
    "forwarded": "Neither end is this machine: the traffic only passes through.",
    "closed": "The socket was closed before it could be looked up.",
    "kernel": "The system itself sends and answers this, not a program.",
    "not_listening": "Nothing on this machine listens there.",
    "several": "More than one program could have sent it.",
    "unreadable": "The socket belongs to another user's program; naming it needs more rights (start with sudo).",
    "busy": "Too many connections began at once; this one was not looked up.",
    "listener": "The program that listens; the connection was not accepted yet.",
    "accepted": "The program that used the accepted connection.",
    "shared": "Several processes share the socket; the one that passed it on is named.",
    "translated": "Seen behind address translation.",
    "raw": "Sent over a raw socket to this address.",
    "group": "Sent to many: every program that listens may have received it.",
    "not_seen": "No socket of this machine has these ends.",
    "tunnelled": "Inside a tunnel: its ends are not sockets of this machine.",
    "off": "Programs are not looked up (ATTRIBUTION=0).",
    "replay": "Programs are looked up in live capture only.",
}
