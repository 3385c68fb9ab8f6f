"""SMB 1 ([MS-CIFS] 2.2): sessions, trees, pipes, and the transactions that its exploits misuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.dpi.smb_pipes import Files, text_of

_TRANSACTION, _WRITE, _TRANS2, _TRANS2_SECONDARY = 0x25, 0x2F, 0x32, 0x33
_SESSION, _TREE, _NT_TRANS, _NT_CREATE = 0x73, 0x75, 0xA0, 0xA2
_UNICODE: Final = 0x8000
_REPLY: Final = 0x80
_MORE_PROCESSING: Final = 0xC0000016
_NO_RESOURCES: Final = 0xC0000205
_TRANS2_SESSION_SETUP: Final = 0x000E
_MOST_WAITING: Final = 128
_HEAD: Final = 32


class Smb1Reader:
    """Messages behind the session header. `on_session(status, ts)`: the outcome of a session setup."""

    def __init__(self, files: Files, on_session: Callable[[int, int], None]) -> None:
        self._files = files
        self._on_session = on_session
        self._waiting: dict[bytes, str] = {}  # names of files by the number of the message that opens them

    def message(self, body: bytes, ts: int) -> None:
        """One message."""
        if len(body) < _HEAD + 1 or body[:4] != b"\xffSMB":
            return
        command, status = body[4], int.from_bytes(body[5:9], "little")
        count = body[_HEAD]
        words, bytes_at = body[_HEAD + 1 : _HEAD + 1 + 2 * count], _HEAD + 1 + 2 * count + 2
        if body[9] & _REPLY:
            self._reply(command, status, body, words, ts)
            return
        unicode = bool(int.from_bytes(body[10:12], "little") & _UNICODE)
        if command == _TREE and len(words) >= 8:
            self._tree(body, words, bytes_at, unicode, ts)
        elif command == _NT_CREATE:
            raw = body[bytes_at : bytes_at + 512]
            raw = raw[1:] if unicode and bytes_at % 2 else raw
            name = text_of(raw[: len(raw) // 2 * 2] if unicode else raw, unicode).decode("utf-8", "replace")
            self._remember(body[30:32], name)
            self._files.act(
                ts, "open", name[:256], writes="yes" if words[15:19] != bytes(4) and _writes(words) else "no"
            )
        elif command == _WRITE and len(words) >= 24:
            place = int.from_bytes(words[22:24], "little")
            self._files.data(words[4:6], 0, body[place:], words[6:10] == bytes(4), ts)
        elif command == _TRANSACTION and len(words) >= 32:
            place = int.from_bytes(words[24:26], "little")
            self._files.data(words[30:32], 0, body[place:], False, ts)
        elif command == _TRANS2 and len(words) >= 30:
            function = int.from_bytes(words[28:30], "little")
            if function == _TRANS2_SESSION_SETUP:
                self._files.act(ts, "trans2_session_setup")
        elif command == _TRANS2_SECONDARY:
            self._files.act(ts, "trans2_secondary")
        elif command == _NT_TRANS and len(words) >= 11:
            self._files.act(ts, "nt_trans", bytes=str(int.from_bytes(words[7:11], "little")))

    def _reply(self, command: int, status: int, body: bytes, words: bytes, ts: int) -> None:
        if command == _SESSION and status != _MORE_PROCESSING:
            self._on_session(status, ts)
        elif command == _NT_CREATE:
            name = self._waiting.pop(body[30:32], None)
            if name is not None and status == 0 and len(words) >= 7:
                self._files.opened(words[5:7], name)
        elif command == _TRANSACTION and status == _NO_RESOURCES:
            self._files.act(ts, "transaction_without_resources", "", 1)
        elif command == _TRANS2 and body[30:32] == b"\x51\0":
            self._files.act(ts, "trans2_multiplex_81", "", 1)  # how an implanted DOUBLEPULSAR says that it is there

    def _tree(self, body: bytes, words: bytes, place: int, unicode: bool, ts: int) -> None:
        """Path behind the password, at an even place where it is Unicode."""
        place += int.from_bytes(words[6:8], "little")
        if unicode:
            place += place % 2
            raw = body[place : place + 1024]
            end = next((at for at in range(0, len(raw) - 1, 2) if raw[at : at + 2] == b"\0\0"), len(raw) // 2 * 2)
        else:
            raw = body[place : place + 512]
            end = raw.find(b"\0") if b"\0" in raw else len(raw)
        self._files.tree(ts, text_of(raw[:end], unicode), "1")

    def _remember(self, number: bytes, name: str) -> None:
        self._waiting[number] = name
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.pop(next(iter(self._waiting)))


def _writes(words: bytes) -> bool:
    return bool(int.from_bytes(words[15:19], "little") & 0x40000006)
