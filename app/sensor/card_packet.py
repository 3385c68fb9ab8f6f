"""One packet that the card scanner looks at in Python: made for those only that a kernel points at."""

from __future__ import annotations

from typing import Any, Final

from app.wire.addresses import format_address
from app.wire.records import PACKET_DTYPE

FIN: Final = 1
TCP: Final = 6
UDP: Final = 17
_COLUMN: Final = {name: place for place, name in enumerate(PACKET_DTYPE.names or ())}


class Packet:
    """One packet that an event is about. record: its PACKET row as a tuple."""

    __slots__ = ("_memory", "_record", "direction", "flow_id", "packet_id")

    def __init__(
        self, memory: memoryview, record: tuple[int, ...], flow_id: int, packet_id: int, direction: int
    ) -> None:
        self._memory = memory
        self._record = record
        self.flow_id = flow_id
        self.packet_id = packet_id
        self.direction = direction

    def _of(self, name: str) -> int:
        return self._record[_COLUMN[name]]

    @property
    def ts(self) -> int:
        return self._of("ts")

    @property
    def seq(self) -> int:
        return (self._of("seq") + (self._of("tcp_flags") >> 1 & 1)) & 0xFFFFFFFF

    @property
    def flags(self) -> int:
        return self._of("tcp_flags")

    @property
    def protocol(self) -> int:
        return self._of("protocol")

    @property
    def slot(self) -> int:
        return self._of("flow")

    @property
    def wire_payload(self) -> int:
        return self._of("payload_len")

    @property
    def ports(self) -> tuple[int, int]:
        return self._of("src_port"), self._of("dst_port")

    @property
    def sender(self) -> tuple[int, int]:
        return self._of("src_lo"), self._of("src_port")

    @property
    def first(self) -> int:
        """Where the payload starts in the buffer."""
        return self._of("offset") + self._of("payload_offset")

    @property
    def payload(self) -> bytes:
        return self.payload_from(0)

    def payload_from(self, header: int) -> bytes:
        """The payload with `header` bytes before it."""
        end = min(self.first + self.wire_payload, self._of("offset") + self._of("cap_len"))
        return bytes(self._memory[self.first - header : end])

    def end(self, which: str) -> str:
        """Address and port of an end."""
        version = self._of("ip_version")
        address = format_address(self._of(f"{which}_hi"), self._of(f"{which}_lo"), version) or ""
        if self.protocol not in (TCP, UDP, 132):
            return address
        return f"[{address}]:{self._of(f'{which}_port')}" if version == 6 else f"{address}:{self._of(f'{which}_port')}"

    def fragment(self) -> tuple[Any, int, bool, int] | None:
        """(key of the datagram, offset, more follow, bytes of the transport header before the payload) from the IP header before the payload."""
        header = 0 if self._of("kind") & 2 else {TCP: 20, UDP: 8}.get(self.protocol, 0)
        at_ = self.first - header
        start = self._of("offset")
        ends = (self._of("src_hi"), self._of("src_lo"), self._of("dst_hi"), self._of("dst_lo"), self.protocol)
        if self._of("ip_version") == 6 and at_ - 8 >= start:
            part = bytes(self._memory[at_ - 8 : at_])
            field = int.from_bytes(part[2:4], "big")
            return (*ends, part[4:8]), field & 0xFFF8, bool(field & 1), header
        for size in range(20, 64, 4):
            if at_ - size < start:
                return None
            part = bytes(self._memory[at_ - size : at_])
            if part[0] == 0x40 | size // 4 and int.from_bytes(part[12:16], "big") == self._of("src_lo") & 0xFFFFFFFF:
                field = int.from_bytes(part[6:8], "big")
                return (*ends, part[4:6]), (field & 0x1FFF) * 8, bool(field & 0x2000), header
        return None
