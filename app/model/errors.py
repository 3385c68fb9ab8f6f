"""The errors that cross a border between packages. Each carries one sentence that a user can read."""

from __future__ import annotations


class NetglassError(Exception):
    """Anything Netglass raises on purpose."""


class CommandError(NetglassError):
    """A command was refused: `code` is stable, for programs (the link, the REST answer); `message` one sentence, for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CaptureError(CommandError):
    """A source cannot be opened or broke off.

    Codes: `no_such_interface`, `interface_down`, `bad_filter`, `no_libpcap`, `not_permitted`, `bad_file`, `not_supported`, `failed`.
    Messages carry the kernel's or libpcap's own words where there are any.
    """


class ProtocolError(NetglassError, ValueError):
    """Bytes on a link between two of our processes were not what the protocol allows; the link is closed."""


class PrivilegeError(NetglassError):
    """A process still has rights that it must not have, or could not give them up; it refuses to go on."""


class KernelError(NetglassError):
    """The compiled kernels cannot be used: nobody can say who wrote them, or they can be neither loaded nor compiled."""
