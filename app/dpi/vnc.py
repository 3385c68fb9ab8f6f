"""VNC's protocol RFB (RFC 6143 section 7.1): version, kind of security, and the verdict on the password, which does not travel readable."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action, LoginAttempt
from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector
from app.dpi.signatures import TCP, begins, exactly

_VERSION: Final = re.compile(rb"RFB ([0-9]{3}\.[0-9]{3})\n")
_KINDS: Final = {1: "none", 2: "password", 5: "RA2", 16: "tight", 18: "tls", 19: "vencrypt", 30: "apple"}
_LENGTH: Final = 12
_LIMIT: Final = 4096


class VncInspector(ProtocolInspector):
    """The handshake, step by step: version, kinds, challenge, answer, result."""

    protocol = "vnc"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = [bytearray(), bytearray()]
        self._versions: list[bytes] = [b"", b""]
        self._kind = 0  # chosen
        self._kinds_told = False
        self._challenged = False
        self._answered = False

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        begun = self._begun[direction]
        begun += data
        if not self._versions[direction]:
            if len(begun) < _LENGTH:
                return MORE
            found = _VERSION.match(begun)
            if not found:
                self.close(ts)
                return DONE
            self._versions[direction] = found[1]
            self.note("version", found[1])
            del begun[:_LENGTH]
        while begun:
            used = self._server(begun, ts) if direction == RESPONDER else self._client(begun)
            if used < 0:
                self.close(ts)
                return DONE
            if used == 0:
                break
            del begun[:used]
        return MORE if len(begun) < _LIMIT else DONE

    @property
    def _old(self) -> bool:
        """Version 3.3, where the server decides, or the client asked for it."""
        return any(version in (b"003.003", b"003.005") for version in self._versions)

    def _server(self, begun: bytearray, ts: int) -> int:
        """Bytes used; 0: more are needed; -1: nothing more to see."""
        if not self._kinds_told:
            return self._kinds_old(begun) if self._old else self._kinds(begun, ts)
        if self._kind != 2:
            return -1
        if not self._challenged:
            if len(begun) < 16:
                return 0
            self._challenged = True
            return 16
        if len(begun) < 4:
            return 0
        failed = int.from_bytes(begun[:4], "big")
        self.tell(ts)
        self.flow.sink(LoginAttempt(self.flow.flow_id, ts, "vnc", None, not failed, "refused" if failed else ""))
        return -1

    def _kinds(self, begun: bytearray, ts: int) -> int:
        count = begun[0]
        if not count:
            self.flow.sink(Action(self.flow.flow_id, ts, "vnc", "refused", "", 1))
            return -1
        if len(begun) < 1 + count:
            return 0
        self._kinds_told = True
        self.note("security", " ".join(_KINDS.get(kind, str(kind)) for kind in begun[1 : 1 + min(count, 8)]))
        return 1 + count

    def _kinds_old(self, begun: bytearray) -> int:
        if len(begun) < 4:
            return 0
        self._kinds_told = True
        self._kind = int.from_bytes(begun[:4], "big")
        self.note("security", _KINDS.get(self._kind, str(self._kind)))
        return 4 if self._kind else -1

    def _client(self, begun: bytearray) -> int:
        if not self._kind:
            self._kind = begun[0]
            return 1
        if self._kind == 2 and not self._answered:
            if len(begun) < 16:
                return 0
            self._answered = True
            return 16
        return len(begun)

    def close(self, ts: int) -> None:
        """A handshake that ended before the password tells that somebody only looked."""
        if not self._told and all(self._versions) and self._kinds_told and not self._kind:
            self.flow.sink(Action(self.flow.flow_id, ts or self._first_ts, "vnc", "left", "before authentication"))
        super().close(ts)


@begins(exactly(TCP, b"RFB "))
def recognize_vnc(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The version message of either side."""
    return VncInspector(flow) if flow.protocol == 6 and _VERSION.match(data) else None
