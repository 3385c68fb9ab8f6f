"""What a connection over SMB does to shares and files: trees, files by their handles, pipes with RPC inside. Used by both versions' readers."""

from __future__ import annotations

from typing import Final

from app.dpi.dcerpc import RpcReader
from app.dpi.facts import Action
from app.dpi.inspector import FlowContext
from app.dpi.printable import printable

MOST_ACTIONS: Final = 500
_MOST_FILES: Final = 256
_MOST_PIPES: Final = 32
PIPES: Final = frozenset(
    [
        "svcctl",
        "samr",
        "lsarpc",
        "lsass",
        "netlogon",
        "atsvc",
        "srvsvc",
        "wkssvc",
        "winreg",
        "spoolss",
        "epmapper",
        "browser",
        "drsuapi",
        "efsrpc",
        "eventlog",
        "ntsvcs",
        "netdfs",
        "initshutdown",
    ]
)


class Files:
    """The open files of one connection. Handles are whatever the version uses."""

    def __init__(self, flow: FlowContext) -> None:
        self._flow = flow
        self._names: dict[object, str] = {}
        self._pipes: dict[object, RpcReader] = {}
        self._written: set[object] = set()
        self._actions = 0

    def act(self, ts: int, name: str, subject: str = "", sender: int = 0, **details: str) -> None:
        """Tell a step, unless too many were told."""
        self._actions += 1
        if self._actions <= MOST_ACTIONS:
            self._flow.sink(Action(self._flow.flow_id, ts, "smb", name, subject, sender, details))

    def tree(self, ts: int, path: bytes, version: str) -> None:
        """A share is asked for."""
        self.act(ts, "tree_connect", printable(path), version=version)

    def opened(self, handle: object, name: str) -> None:
        """A file or pipe has a handle now."""
        if len(self._names) >= _MOST_FILES:
            self._names.pop(next(iter(self._names)))
        self._names[handle] = name

    def data(self, handle: object, direction: int, data: bytes, at_start: bool, ts: int) -> None:
        """Bytes written to (or, from the responder, read from) a handle."""
        if data[:1] == b"\5" and len(data) >= 16:
            pipe = self._pipes.get(handle)
            if pipe is None:
                if len(self._pipes) >= _MOST_PIPES:
                    self._pipes.pop(next(iter(self._pipes)))
                pipe = self._pipes[handle] = RpcReader(self._flow, "smb")
            if pipe.pdu(direction, data, ts):
                return
        if direction == 0 and at_start and handle not in self._written and len(self._written) < _MOST_FILES:
            self._written.add(handle)
            name = self._names.get(handle, "")
            self.act(ts, "write_file", name, kind=kind_of_file(data))


def kind_of_file(data: bytes) -> str:
    """What the first bytes say a file is: "executable", "script" or nothing."""
    if data[:2] == b"MZ" or data[:4] == b"\x7fELF":
        return "executable"
    if data[:2] == b"#!" or data[:9].lower() == b"@echo off":
        return "script"
    return ""


def text_of(raw: bytes, unicode: bool) -> bytes:
    """A name as UTF-8, without its end."""
    if unicode:
        return raw.decode("utf-16-le", "replace").rstrip("\0").encode("utf-8", "replace")
    return raw.rstrip(b"\0")
