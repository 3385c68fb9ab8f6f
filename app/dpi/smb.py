"""SMB 1, 2 and 3: the dialect that was chosen ([MS-SMB2] 2.2.4, [MS-CIFS] 2.2.4.52), who authenticates by NTLM ([MS-NLMP] 2.2.1.3) and with
which outcome, and what is done to shares and pipes (`app.dpi.smb1`, `app.dpi.smb2`).

The name is a detail, not a cleartext login: NTLM does not send the password. Long messages are looked at up to their first bytes.
"""

from __future__ import annotations

from typing import ClassVar, Final

from app.dpi.facts import LoginAttempt
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, pattern
from app.dpi.smb1 import Smb1Reader
from app.dpi.smb2 import Smb2Reader
from app.dpi.smb_pipes import Files

_NTLM_AUTHENTICATE: Final = b"NTLMSSP\0\3\0\0\0"
_DIALECTS: Final = {0x0202: "2.0.2", 0x0210: "2.1", 0x02FF: "2.x", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}
_MAGICS: Final = (b"\xffSMB", b"\xfeSMB", b"\xfdSMB", b"\xfcSMB")  # 1, 2 and 3, encrypted, compressed
_NAMES_UNICODE: Final = 1
_STATUS: Final = {
    0: "success", 0xC000006D: "logon failure", 0xC000006A: "wrong password", 0xC0000064: "no such user", 0xC0000072: "account disabled",
    0xC0000234: "account locked out", 0xC0000022: "access denied", 0xC000015B: "logon type not granted",
}  # fmt: skip


class SmbInspector(MessageInspector):
    """One connection, its first messages."""

    protocol = "smb"
    messages: ClassVar[int] = 2000
    limit: ClassVar[int] = 2048

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._version_1 = False
        self._user: str | None = None
        files = Files(flow)
        self._files = files
        self._smb1 = Smb1Reader(files, self._session)
        self._smb2 = Smb2Reader(files, self._session)

    def size(self, direction: int, begun: bytearray) -> int | None:
        """NetBIOS session header (RFC 1002 section 4.3.1): type, then the length in 17 or 24 bits."""
        if len(begun) < 4:
            return 0
        if begun[0] == 0 or 0x81 <= begun[0] <= 0x85:
            return 4 + int.from_bytes(begun[1:4], "big")
        return None

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """One message behind the session header."""
        body = message[4:]
        if message[0] or not body:
            return MORE
        if body[:4] not in _MAGICS:
            return DONE
        if body[:4] == b"\xfdSMB":
            self.note("encrypted", "yes")
            self.tell(ts)
            return DONE
        if body[:4] == b"\xfcSMB":
            self._compressed(body, ts)
            return MORE
        place = body.find(_NTLM_AUTHENTICATE)
        if place >= 0:
            self._names(body[place:])
            self._user = self.details.get("user")
        if body[:4] == b"\xfeSMB":
            self._dialect(body)
            self._smb2.message(body, ts)
        else:
            self._version_1 = True
            self._smb1.message(body, ts)
        if place >= 0:
            self._told_version()
            self.tell(ts)
        return MORE

    def skippable(self, direction: int) -> int:
        """The rest of a long message: file contents."""
        return self._passed[direction]

    def gap(self, direction: int, length: int) -> bool:
        """Inside a long message nothing is lost."""
        if length <= self._passed[direction]:
            self._passed[direction] -= length
            return MORE
        return super().gap(direction, length)

    def _session(self, status: int, ts: int) -> None:
        """A session setup was answered."""
        if self._user is None and status == 0:
            return  # anonymous, or a ticket
        reason = _STATUS.get(status, f"0x{status:08x}")
        self.flow.sink(LoginAttempt(self.flow.flow_id, ts, "smb", self._user, status == 0, reason))

    def _compressed(self, body: bytes, ts: int) -> None:
        """[MS-SMB2] 2.2.42: sizes that overflow when they are added are an attack (CVE-2020-0796)."""
        if len(body) < 16:
            return
        original, offset = int.from_bytes(body[4:8], "little"), int.from_bytes(body[12:16], "little")
        if original + offset > 0xFFFFFFFF or offset > 0x10000000:
            self._files.act(ts, "compression_overflow", "", 0, size=str(original), offset=str(offset))

    def _dialect(self, body: bytes) -> None:
        """A negotiate response names the dialect."""
        if len(body) >= 70 and body[12:14] == b"\0\0" and body[16] & 1:
            number = int.from_bytes(body[68:70], "little")
            if number != 0x02FF:  # the answer to a negotiation that began with SMB 1; the real one follows
                self.note("dialect", _DIALECTS.get(number, f"0x{number:04x}"))

    def close(self, ts: int) -> None:
        """Version 1, where no newer one was agreed."""
        self._told_version()
        super().close(ts)

    def _told_version(self) -> None:
        if self._version_1:
            self.note("dialect", "1")

    def _names(self, message: bytes) -> None:
        """User, domain and host of an NTLM authentication."""
        if len(message) < 64:
            return
        unicode = int.from_bytes(message[60:64], "little") & _NAMES_UNICODE
        for name, place in (("domain", 28), ("user", 36), ("host", 44)):
            length = int.from_bytes(message[place : place + 2], "little")
            offset = int.from_bytes(message[place + 4 : place + 8], "little")
            value = message[offset : offset + length]
            self.note(name, value.decode("utf-16-le", "replace").encode("utf-8", "replace") if unicode else value)


@begins(
    pattern(
        TCP, "00 ?? ?? ?? ff 53 4d 42", "00 ?? ?? ?? fc 53 4d 42", "00 ?? ?? ?? fd 53 4d 42", "00 ?? ?? ?? fe 53 4d 42"
    )
)
def recognize_smb(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A session header and SMB's mark behind it."""
    if flow.protocol != 6 or len(data) < 8:
        return None
    return SmbInspector(flow) if data[0] == 0 and data[4:8] in _MAGICS else None
