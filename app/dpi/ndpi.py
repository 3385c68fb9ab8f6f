"""nDPI, through the compiled module `_lib_engine` of the package nfstream: the one place that knows both.

One idea: C code reads hostile bytes, so this runs in a child process (`app.dpi.ndpi_child`) and sees only packets whose IP and transport
headers we wrote ourselves (`app.dpi.ndpi_packets`). Every C flow is freed here: when nDPI has decided, when the flow had its packets, when it
is silent, and when there are too many. The order of calls is that of nfstream's own meter; its Python part is never imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import struct
from collections import OrderedDict
from typing import Any, Final

from app.dpi import application as says
from app.dpi.application import Application

MODULE: Final = "_lib_engine"
PACKETS_PER_FLOW: Final = 6
MAX_FLOWS: Final = (
    20_000  # C flows alive at a time: about 2.6 kB each, and what nDPI collects of a TLS handshake (a few kB)
)
IDLE_MS: Final = 10_000  # silence after which nDPI says what it has
MAX_DONE: Final = 8_192  # decided flows that are remembered: the parent shows no more of them once it has heard, and drops a second answer

# One packet of a batch: flow id, time in ms, where it starts in the batch's bytes, its length, IP version, IP protocol. 24 bytes.
RECORD: Final = struct.Struct("<QQIHBB")
# What a batch on the way to the child begins with, see app.dpi.ndpi_child. 28 bytes.
BATCH: Final = struct.Struct("<QQIII")
MAX_BATCH: Final = 64 << 20

Buffer = bytes | bytearray | memoryview

_NEVER: Final = (1 << 64) - 1  # ms: nfstream's own timeouts are not used
_SURE: Final = {
    "DPI": says.BY_CONTENT,
    "DPI_AGGRESSIVE": says.BY_CONTENT,
    "DPI_PARTIAL": says.BY_PART,
    "DPI_CACHE": says.BY_CACHE,
    "DPI_PARTIAL_CACHE": says.BY_CACHE,
    "MATCH_BY_IP": says.BY_ADDRESS,
    "MATCH_BY_PORT": says.BY_PORT,
}
_NO_CATEGORY: Final = frozenset({"", "Unspecified"})


class EngineUnavailable(RuntimeError):
    """nDPI cannot be used here; the text says why."""


def installed() -> bool:
    """Whether the compiled module is there. It is not loaded by this."""
    return importlib.util.find_spec(MODULE) is not None


class Engine:
    """Flows of one capture. Raises EngineUnavailable where the module is missing or of another layout."""

    def __init__(
        self, packets_per_flow: int = PACKETS_PER_FLOW, max_flows: int = MAX_FLOWS, idle_ms: int = IDLE_MS
    ) -> None:
        if not 1 <= packets_per_flow <= 255:
            raise ValueError(f"{packets_per_flow} packets per flow: 1 to 255 are possible")
        try:
            module: Any = importlib.import_module(MODULE)
        except ImportError as error:
            raise EngineUnavailable(f"nDPI is not installed: {error}") from None
        self._ffi, self._lib = module.ffi, module.lib
        self._packets_per_flow = packets_per_flow
        self._max_flows = max_flows
        self._idle_ms = idle_ms
        self._dissector = self._start()
        self._classified = self._ffi.typeof("enum ndpi_classification_state").relements["NDPI_STATE_CLASSIFIED"]
        self._confidences = _confidences(self._ffi)
        self._risks = _risks(self._ffi)
        self._risk_names: dict[int, tuple[str, ...]] = {0: ()}  # by set of bits, the few that occur
        self._packet = self._ffi.new("struct nf_packet *")
        self._flows: OrderedDict[int, Any] = OrderedDict()  # the one silent longest first
        self._done: OrderedDict[int, None] = OrderedDict()
        self._names: dict[int, str] = {}  # of address owners, by nDPI's number

    @property
    def version(self) -> str:
        """nDPI's own version, e.g. 5.0.0."""
        return str(self._ffi.string(self._lib.engine_lib_ndpi_version()).decode("ascii", "replace").partition("-")[0])

    @property
    def live(self) -> int:
        """C flows that are held."""
        return len(self._flows)

    def take(self, records: Buffer, data: Buffer, clock_ms: int = 0) -> list[tuple[int, Application]]:
        """Packets of a batch (RECORD each, their bytes in `data`), and what is known after them. Every record must lie inside `data`."""
        found: list[tuple[int, Application]] = []
        start = self._ffi.from_buffer("uint8_t[]", data)
        end = len(data)
        for flow_id, time_ms, offset, length, version, protocol in RECORD.iter_unpack(records):
            if offset + length > end or length < 20:
                raise ValueError(f"a packet of {length} bytes at {offset} does not lie in {end} bytes")
            self._update(flow_id, time_ms, start + offset, length, version, protocol, found)
        self._give_up_idle(clock_ms, found)
        return found

    def give_up(self, flow_id: int) -> Application | None:
        """The flow ended: what nDPI can say, or guess, now. None where it was decided before, or never seen."""
        flow = self._flows.pop(flow_id, None)
        self._done.pop(flow_id, None)
        return None if flow is None else self._finish(flow)

    def close(self) -> None:
        """Free all that C holds."""
        while self._flows:
            _, flow = self._flows.popitem()
            self._lib.meter_free_flow(flow, 1, 0, 1)
        if self._dissector is not None:
            self._lib.dissector_cleanup(self._dissector)
            self._dissector = None

    def _start(self) -> Any:
        ffi = self._ffi
        sizes = ffi.new("struct dissector_checker *")
        sizes.flow_size = ffi.sizeof("struct ndpi_flow_struct")
        sizes.flow_tcp_size = ffi.sizeof("struct ndpi_flow_tcp_struct")
        sizes.flow_udp_size = ffi.sizeof("struct ndpi_flow_udp_struct")
        dissector = self._lib.dissector_init(sizes)
        if dissector == ffi.NULL:
            raise EngineUnavailable("nDPI was built with another layout than its module says")
        self._lib.dissector_configure(dissector)
        return dissector

    def _update(
        self,
        flow_id: int,
        time_ms: int,
        address: Any,
        length: int,
        version: int,
        protocol: int,
        found: list[tuple[int, Application]],
    ) -> None:
        packet, flow = self._packet, self._flows.get(flow_id)
        packet.ip_content, packet.ip_content_len, packet.ip_version = address, length, version
        limit = self._packets_per_flow
        if flow is None:
            if flow_id in self._done:
                return
            packet.time, packet.protocol = time_ms, protocol
            flow = self._lib.meter_initialize_flow(packet, 0, 0, 0, limit, self._dissector, 0)
            if flow == self._ffi.NULL:
                raise MemoryError("nDPI has no memory for another flow")
            self._flows[flow_id] = flow
            if len(self._flows) > self._max_flows:
                self._decide(next(iter(self._flows)), found)
        elif flow.protocol != protocol:
            return  # nDPI keeps TCP's and UDP's state in one union: a flow that changes its protocol makes it free a wild pointer
        else:
            # Time that runs backwards would look like 2⁶⁴ ms of silence.
            packet.time = max(time_ms, flow.bidirectional_last_seen_ms)
            self._lib.meter_update_flow(flow, packet, _NEVER, _NEVER, 0, 0, 0, limit, self._dissector, 0)
            self._flows.move_to_end(flow_id)
        if flow.detection_completed or flow.ndpi_flow.state == self._classified:
            self._decide(flow_id, found)

    def _give_up_idle(self, clock_ms: int, found: list[tuple[int, Application]]) -> None:
        oldest = clock_ms - self._idle_ms
        while self._flows and oldest > 0:
            flow_id, flow = next(iter(self._flows.items()))
            if flow.bidirectional_last_seen_ms >= oldest:
                return
            self._decide(flow_id, found)

    def _decide(self, flow_id: int, found: list[tuple[int, Application]]) -> None:
        found.append((flow_id, self._finish(self._flows.pop(flow_id))))
        self._done[flow_id] = None
        if len(self._done) > MAX_DONE:
            self._done.popitem(last=False)

    def _finish(self, flow: Any) -> Application:
        self._lib.meter_expire_flow(flow, 1, self._dissector)
        try:
            return self._read(flow)
        finally:
            self._lib.meter_free_flow(flow, 1, 0, 1)

    def _read(self, flow: Any) -> Application:
        text = self._text
        name, category = text(flow.application_name), text(flow.category_name)
        confidence = self._confidences.get(flow.confidence)
        server_name = text(flow.requested_server_name) or None
        owner = self._owner(flow)
        names = self._named_risks(flow.ndpi_flow.risk)
        if name in ("", "Unknown"):
            return Application(None, None, None, None, server_name, owner, names, says.UNRECOGNISED)
        known = None if category in _NO_CATEGORY else category
        return Application(name, known, says.NDPI, confidence, server_name, owner, names)

    def _named_risks(self, bits: int) -> tuple[str, ...]:
        if bits not in self._risk_names:
            if len(self._risk_names) > 1024:
                self._risk_names = {0: ()}
            self._risk_names[bits] = tuple(name for bit, name in self._risks if bits >> bit & 1)
        return self._risk_names[bits]

    def _owner(self, flow: Any) -> str | None:
        """Whose network the server's address is in: a number, which only the naming of a flow turns into a name."""
        number = flow.detected_protocol.protocol_by_ip
        if not number:
            return None
        if number not in self._names:
            flow.detected_protocol.proto.master_protocol, flow.detected_protocol.proto.app_protocol = 0, number
            self._lib.meter_expire_flow(flow, 1, self._dissector)
            self._names[number] = self._text(flow.application_name)
        return self._names[number]

    def _text(self, field: Any) -> str:
        """A C array of characters: what peers sent is in it, so anything unprintable is escaped."""
        text: str = self._ffi.string(field).decode("utf-8", "backslashreplace")
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _confidences(ffi: Any) -> dict[int, str]:
    """Number → what the name was found by."""
    numbers = ffi.typeof("ndpi_confidence_t").relements
    return {
        numbers[f"NDPI_CONFIDENCE_{name}"]: word for name, word in _SURE.items() if f"NDPI_CONFIDENCE_{name}" in numbers
    }


def _risks(ffi: Any) -> list[tuple[int, str]]:
    """(bit, name) of each flow risk; bit 0 is "no risk"."""
    numbers = ffi.typeof("ndpi_risk_enum").elements
    return sorted(
        (n, name.removeprefix("NDPI_").lower()) for n, name in numbers.items() if 0 < n < 64 and "MAX" not in name
    )
