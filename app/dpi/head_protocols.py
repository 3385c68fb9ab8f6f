"""Protocols whose one head says it all, written like HTTP: SSDP (UPnP Device Architecture 2.0); SIP is in `app.dpi.sip`."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.printable import without_password
from app.dpi.protocol_inspector import ProtocolInspector, on_port
from app.dpi.signatures import UDP, begins, exactly

_SSDP: Final = re.compile(rb"(?:M-SEARCH \* HTTP/1\.[01]|NOTIFY \* HTTP/1\.[01])\r\n")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LIMIT: Final = 16 << 10
USERINFO: Final = re.compile(
    rb"((?:sips?|tel):[^:@\s]{1,256}):[^@\s]{0,256}@"
)  # user:password@ (RFC 3261 section 19.1.1)


class HeadInspector(ProtocolInspector):
    """Reads one head (start line and fields), which says it all."""

    fields: ClassVar[dict[bytes, str]]  # the fields to keep, with their names in the details

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._head = bytearray()
        self._side = -1

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        if self._side not in (-1, direction):
            return MORE
        self._side = direction
        self._head += data
        if self.flow.protocol == 6 and not _HEAD_END.search(self._head) and len(self._head) <= _LIMIT:
            return MORE
        self.close(ts)
        return DONE

    def close(self, ts: int) -> None:
        """Tell the head so far."""
        if not self._told:
            self._read(bytes(self._head[:_LIMIT]))
        super().close(ts)

    def _read(self, head: bytes) -> None:
        lines = head.split(b"\n")
        words = lines[0].rstrip().split(b" ")
        if b"/" in words[0]:
            self.note("status", words[1] if len(words) > 1 else b"")
        else:
            self.note("method", words[0])
            self.note("target", USERINFO.sub(rb"\1@", without_password(words[1])) if len(words) > 1 else b"")
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            known = self.fields.get(name.strip().lower())
            if colon and known:
                self.keep(known, value.strip())
            if not line.strip():
                break

    def keep(self, name: str, value: bytes) -> None:
        """One wanted field."""
        self.note(name, value)


class SsdpInspector(HeadInspector):
    """What is searched or announced."""

    protocol = "ssdp"
    fields: ClassVar[dict[bytes, str]] = {
        b"st": "search_target",
        b"nt": "type",
        b"server": "server",
        b"user-agent": "user_agent",
        b"usn": "usn",
        b"location": "location",
    }


@begins(exactly(UDP, b"M-SEARCH * HTTP/", b"NOTIFY * HTTP/1.", b"HTTP/1.1 200 OK"))
def recognize_ssdp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A search or an announcement; a response only on SSDP's port."""
    if flow.protocol != 17:
        return None
    answer = data.startswith(b"HTTP/1.1 200 OK\r\n") and on_port(flow, 1900)
    return SsdpInspector(flow) if answer or _SSDP.match(data) else None
