"""Where each field of a dissected packet lies in the frame.

scapy keeps values, not places. So the frame goes in as bytes that know their place and keep it when they are sliced, and the
step that takes a layer apart notes for each field how much of the bytes it took. Bytes that scapy made itself (decompressed,
reordered) have lost their place: their fields have none, rather than a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, SupportsIndex

from scapy.packet import Packet

MAX_FIELDS: Final = 4000  # of one frame; beyond, dissection stops and the rest stays bytes
MAX_LAYERS: Final = 200

Place = tuple[int, int]  # (byte, bit in it)


class PlacedBytes(bytes):
    """Bytes of a frame that know where in it they begin."""

    at: int

    def __new__(cls, data: bytes, at: int) -> PlacedBytes:
        placed = super().__new__(cls, data)
        placed.at = at
        return placed

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        part = super().__getitem__(key)
        if not isinstance(key, slice):
            return part
        start, _, step = key.indices(len(self))
        return PlacedBytes(part, self.at + start) if step == 1 and isinstance(part, bytes) else part

    def __add__(self, other: Any) -> bytes:
        """Neighbours stay in place when they are joined again, as list fields do with what they leave over."""
        if not other:
            return self
        joined = super().__add__(other)
        return PlacedBytes(joined, self.at) if getattr(other, "at", None) == self.at + len(self) else joined

    def __radd__(self, other: bytes) -> bytes:
        return self if not other else other.__add__(self)


class TooMuch(Exception):
    """The frame has more layers or fields than are shown; scapy leaves the rest as bytes."""


@dataclass(slots=True)
class TracedField:
    """A field as met: `begin` and `end` in the frame (None = unknown)."""

    descriptor: Any  # scapy's field
    value: Any
    begin: Place | None
    end: Place | None


@dataclass(slots=True)
class TracedLayer:
    begin: int | None
    end: int | None = None
    fields: list[TracedField] = field(default_factory=list)


class Tracer:
    """Notes the places of one frame. `Packet.do_dissect` calls the tracer that is active."""

    active: Tracer | None = None

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self._layers: dict[tuple[type, int], TracedLayer] = {}
        self._alive: list[Any] = []  # identities are only good while the bytes live
        self._fields = 0

    def layer_of(self, packet: Any) -> TracedLayer | None:
        """What was noted of a packet, or of the one it is a copy of: copies share the bytes of their header."""
        return self._layers.get((type(packet), id(packet.raw_packet_cache))) or self._layers.get(
            (type(packet), id(packet.original))
        )

    def begin(self, packet: Any, data: bytes) -> TracedLayer:
        if len(self._layers) >= 2 * MAX_LAYERS:
            raise TooMuch
        layer = TracedLayer(self.place_of(data))
        if layer.begin is None and packet.underlayer is not None:
            layer.begin = self._behind(packet.underlayer, data)
        self._tie(layer, packet, packet.original)
        return layer

    def _behind(self, underlayer: Any, data: bytes) -> int | None:
        """Bytes that lost their place on the way are where the layer below ends, if they are found there."""
        below = self.layer_of(underlayer)
        if below is None or below.end is None or not data:
            return None
        return below.end if self.frame[below.end : below.end + len(data)] == data else None

    def end(self, layer: TracedLayer, packet: Any, data: bytes, rest: bytes) -> None:
        packet.raw_packet_cache = header = data[: len(data) - len(rest)]
        self._tie(layer, packet, header)
        if layer.begin is not None:
            layer.end = rest.at if isinstance(rest, PlacedBytes) and rest else layer.begin + len(header)

    def _tie(self, layer: TracedLayer, packet: Any, data: bytes) -> None:
        self._layers[type(packet), id(data)] = layer
        self._alive.append(data)

    def place_of(self, data: bytes) -> int | None:
        """Where the bytes begin; None when they are not (any more) those of the frame."""
        at = getattr(data, "at", None)
        if at is None or self.frame[at : at + len(data)] != data:
            return None
        return int(at)

    def note(self, layer: TracedLayer, entry: bytes, descriptor: Any, value: Any, before: Any, after: Any) -> None:
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise TooMuch
        if type(before) is type(after) is PlacedBytes and before.at == after.at and len(before) > len(after):
            last = before.at + len(before)  # taken from the end, like a frame check sequence
            layer.fields.append(TracedField(descriptor, value, (last - len(before) + len(after), 0), (last, 0)))
            return
        begin, end = _place(layer.begin, entry, before), _place(layer.begin, entry, after)
        layer.fields.append(TracedField(descriptor, value, begin, end))


def _place(layer_begin: int | None, entry: bytes, remaining: Any) -> Place | None:
    """Fields are taken from the front: what remains tells the place, in bits while a byte is shared."""
    rest, bits = remaining if isinstance(remaining, tuple) else (remaining, 0)
    if layer_begin is None:
        return None
    if isinstance(rest, PlacedBytes) and rest:
        return rest.at, bits
    return layer_begin + len(entry) - len(rest), bits


def _placed_again(before: PlacedBytes, rest: bytes) -> bytes:
    """What a field left over as new bytes: the end of what it was given, or the beginning where it took a trailer."""
    if before.endswith(rest):
        return before[len(before) - len(rest) :]  # type: ignore[no-any-return]
    return before[: len(rest)] if before.startswith(rest) else rest


def _traced_dissect(packet: Any, data: bytes) -> bytes:
    """Take one layer apart, field by field, as scapy's `Packet.do_dissect` does, noting the places."""
    tracer = Tracer.active
    if tracer is None:
        tracer = Tracer(b"")
    layer = tracer.begin(packet, data)
    rest: Any = data
    for descriptor in packet.fields_desc:
        before = rest
        rest, value = descriptor.getfield(packet, rest)
        if type(rest) is bytes and isinstance(before, PlacedBytes):
            rest = _placed_again(before, rest)
        if value is None and descriptor.isconditional:
            continue
        packet.fields[descriptor.name] = value
        tracer.note(layer, data, descriptor, value, before, rest)
        if not rest and (descriptor.ismayend or (descriptor.isconditional and descriptor.fld.ismayend)):
            break
    if isinstance(rest, tuple):
        raise ValueError("the fields of the layer do not end with a byte")
    packet.raw_packet_cache_fields = {}
    packet.explicit = 1
    tracer.end(layer, packet, data, rest)
    return rest  # type: ignore[no-any-return]


def install() -> None:
    """Make scapy note places from now on, in this process."""
    Packet.do_dissect = _traced_dissect  # type: ignore[method-assign,assignment]
