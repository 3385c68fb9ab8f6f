"""SMB 2 and 3 in the clear ([MS-SMB2] 2.2): sessions, trees, files and what is written to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.dpi.smb_pipes import Files, text_of

_SESSION_SETUP, _TREE_CONNECT, _CREATE, _WRITE, _IOCTL = 1, 3, 5, 9, 11
_READ: Final = 8
_PIPE_TRANSCEIVE: Final = 0x0011C017
_MOST_WAITING: Final = 128
_HEAD: Final = 64
_MORE_PROCESSING: Final = 0xC0000016
DELETE_ON_CLOSE: Final = 0x1000


class Smb2Reader:
    """Messages behind the session header, chained ones taken apart. `on_session(status)`: the outcome of a session setup."""

    def __init__(self, files: Files, on_session: Callable[[int, int], None]) -> None:
        self._files = files
        self._on_session = on_session
        self._waiting: dict[int, str] = {}  # names of files by the message that opens them
        self._reads: dict[int, bytes] = {}  # handles by the message that reads

    def message(self, body: bytes, ts: int) -> None:
        """One message, or several in a chain."""
        for _ in range(16):
            if len(body) < _HEAD or body[:4] != b"\xfeSMB":
                return
            self._one(body, ts)
            following = int.from_bytes(body[20:24], "little")
            if not 0 < following < len(body):
                return
            body = body[following:]

    def _one(self, body: bytes, ts: int) -> None:
        command = int.from_bytes(body[12:14], "little")
        number = int.from_bytes(body[24:32], "little")
        if body[16] & 1:
            self._response(command, number, int.from_bytes(body[8:12], "little"), body, ts)
        elif command == _TREE_CONNECT:
            self._files.tree(ts, text_of(_part(body, _HEAD + 4), True), "2")
        elif command == _CREATE and len(body) >= _HEAD + 48:
            name = text_of(_part(body, _HEAD + 44), True).decode("utf-8", "replace")[:256]
            access = int.from_bytes(body[_HEAD + 24 : _HEAD + 28], "little")
            writes = bool(access & 0x40000006)  # write, append, generic write
            self._remember(number, name)
            if name:
                self._files.act(ts, "open", name, writes="yes" if writes else "no")
        elif command == _WRITE and len(body) >= _HEAD + 32:
            offset = int.from_bytes(body[_HEAD + 2 : _HEAD + 4], "little")
            handle = body[_HEAD + 16 : _HEAD + 32]
            at_start = body[_HEAD + 8 : _HEAD + 16] == bytes(8)
            self._files.data(handle, 0, body[offset:], at_start, ts)
        elif command == _READ and len(body) >= _HEAD + 32:
            self._reads[number] = body[_HEAD + 16 : _HEAD + 32]
            if len(self._reads) > _MOST_WAITING:
                self._reads.pop(next(iter(self._reads)))
        elif command == _IOCTL and len(body) >= _HEAD + 32:
            self._ioctl(body, ts)

    def _ioctl(self, body: bytes, ts: int) -> None:
        if int.from_bytes(body[_HEAD + 4 : _HEAD + 8], "little") == _PIPE_TRANSCEIVE:
            offset = int.from_bytes(body[_HEAD + 24 : _HEAD + 28], "little")
            self._files.data(body[_HEAD + 8 : _HEAD + 24], 0, body[offset:], False, ts)

    def _response(self, command: int, number: int, status: int, body: bytes, ts: int) -> None:
        if command == _SESSION_SETUP and status != _MORE_PROCESSING:
            self._on_session(status, ts)
        elif command == _CREATE:
            name = self._waiting.pop(number, None)
            if name is not None and status == 0 and len(body) >= _HEAD + 80:
                self._files.opened(body[_HEAD + 64 : _HEAD + 80], name)
        elif command == _TREE_CONNECT and status in (0xC0000022, 0xC00000CC):
            self._files.act(ts, "tree_refused", "", 1, status=f"0x{status:08x}")

    def _remember(self, number: int, name: str) -> None:
        self._waiting[number] = name
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.pop(next(iter(self._waiting)))


def _part(body: bytes, place: int) -> bytes:
    """What an offset and a length, two bytes each, point to; offsets count from the header."""
    offset = int.from_bytes(body[place : place + 2], "little")
    length = int.from_bytes(body[place + 2 : place + 4], "little")
    return body[offset : offset + min(length, 1024)]
