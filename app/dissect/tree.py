"""The dissection tree of a frame: layers, their fields, and the bytes (or bits) of the frame that each one covers.

    layer  {"name", "label", "offset", "length", "fields": [field…]}
    field  {"name", "label", "value", "offset", "length", "bit_offset", "bit_length", "fields"?: [field…]}

Offsets count from the start of the frame. `bit_offset` counts from the most significant bit of the byte at `offset`; both bit keys are
null where a field is whole bytes. `offset` is null where a value has no bytes of its own in the frame (decompressed, derived).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from scapy.fields import FieldListField, FlagsField, _EnumField
from scapy.layers.dhcp import DHCPOptionsField
from scapy.layers.inet import TCPOptionsField
from scapy.packet import NoPayload, Packet, Padding, Raw

from app.dissect.labels import field_label, flag_label, layer_label
from app.dissect.layers import first_layer
from app.dissect.options import dhcp_options, tcp_options
from app.dissect.trace import PlacedBytes, TracedField, Tracer
from app.dissect.values import bytes_text, clean, field_text

Node = dict[str, Any]
MAX_NODES: Final = 6000
_MAX_DEPTH: Final = 12
_MAX_LAYERS: Final = 64


def dissect(frame: bytes, link_type: int) -> dict[str, Any]:
    """{"tree", "summary", "info"} of a frame. What scapy cannot take apart stays a payload; nothing raises but running out of time."""
    tracer = Tracer(frame)
    Tracer.active = tracer
    try:
        packet = _first_packet(frame, link_type)
        return {"tree": _Builder(tracer).layers(packet), "summary": _summary(packet), "info": _info(packet)}
    finally:
        Tracer.active = None


def _first_packet(frame: bytes, link_type: int) -> Any:
    placed = PlacedBytes(frame, 0)
    if not frame:
        return NoPayload()
    try:
        return first_layer(link_type, frame)(placed)
    except Exception:  # scapy over hostile bytes: a link header it cannot read leaves the frame as bytes
        return Raw(placed)


def _summary(packet: Any) -> str:
    try:
        return clean(packet.summary(), 400)
    except Exception:  # as above: a summary is a courtesy
        return clean(" / ".join(layer.name for layer in chain(packet)), 400)


def _info(packet: Any) -> str:
    """What the innermost layer that is more than bytes says of itself."""
    layers = [layer for layer in chain(packet) if not isinstance(layer, Raw)]
    if not layers:
        return ""
    try:
        said = layers[-1].mysummary()
    except Exception:  # as above
        said = ""
    return clean(str(said[0] if isinstance(said, tuple) else said) or str(layers[-1].name))


def chain(packet: Any) -> Iterator[Any]:
    """A packet and its payloads."""
    count = 0
    while isinstance(packet, Packet) and not isinstance(packet, NoPayload) and count < _MAX_LAYERS:
        yield packet
        packet = packet.payload
        count += 1


class _Builder:
    """Nodes of one frame, bounded in number and depth."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._left = MAX_NODES

    def layers(self, packet: Any) -> list[Node]:
        nodes = [self._layer(layer) for layer in chain(packet)]
        return [node for node in nodes if node["fields"] or node["length"]]  # some layers only choose the next one

    def _layer(self, packet: Any) -> Node:
        name = type(packet).__name__
        offset, length = self._extent(packet)
        fields = self._fields(packet, 0)
        payload = self._extent(packet.payload)[0] if isinstance(packet.payload, Packet) else None
        if offset is not None and length is not None and payload is not None and offset <= payload < offset + length:
            length = payload - offset  # a layer that looked ahead: what follows is not its own
            self._cut(fields, payload)
        return {
            "name": name,
            "label": clean(layer_label(name, str(packet.name))),
            "offset": offset,
            "length": length,
            "fields": fields,
        }

    def _cut(self, fields: list[Node], end: int) -> None:
        for node in fields:
            if node["offset"] is not None and node["length"] and node["offset"] < end < node["offset"] + node["length"]:
                node["length"] = end - node["offset"]
                node["value"] = bytes_text(self._tracer.frame[node["offset"] : end])

    def _extent(self, packet: Any) -> tuple[int | None, int | None]:
        if isinstance(packet, NoPayload):
            return None, None
        traced = self._tracer.layer_of(packet)
        if traced is not None and traced.begin is not None and traced.end is not None:
            return traced.begin, traced.end - traced.begin
        begin = self._tracer.place_of(packet.original)
        if begin is None:
            return None, None
        payload = 0 if isinstance(packet.payload, NoPayload) else len(packet.payload.original)
        return begin, max(0, len(packet.original) - payload)

    def _fields(self, packet: Any, depth: int) -> list[Node]:
        traced = self._tracer.layer_of(packet)
        if depth > _MAX_DEPTH:
            return []
        if traced is None or not traced.fields:
            return self._searched(packet)
        nodes: list[Node] = []
        group: int | None = None  # first byte of a run of little-endian bit fields
        for noted in traced.fields:
            inner = _inner(noted.descriptor, packet)
            if getattr(inner, "rev", False) and noted.begin is not None:
                if noted.begin[1] == 0 and inner.tot_size:
                    group = noted.begin[0]
                node = self._node(packet, noted, inner, (group, int(inner.end_tot_size)), depth)
            else:
                node = self._node(packet, noted, inner, None, depth)
            if node is not None:
                nodes.append(node)
        return nodes

    def _node(
        self, packet: Any, noted: TracedField, inner: Any, group: tuple[int | None, int] | None, depth: int
    ) -> Node | None:
        place = _extent_of(noted)
        if place[1] == 0 and (noted.value is None or noted.value == b"" or noted.value == []):
            return None  # an option that is not there
        self._left -= 1
        if self._left < 0:
            return None
        if group is not None:
            place = (group[0], group[1] or place[1], None, None)
        node = self._leaf(packet, inner, noted.value, place)
        children = self._children(packet, noted, inner, depth)
        if children:
            node["fields"] = children
        return node

    def _leaf(
        self, packet: Any, inner: Any, value: Any, place: tuple[int | None, int | None, int | None, int | None]
    ) -> Node:
        offset, length, bit_offset, bit_length = place
        return {
            "name": clean(str(inner.name)),
            "label": clean(field_label(type(packet).__name__, str(inner.name))),
            "value": _value(packet, inner, value),
            "offset": offset,
            "length": length,
            "bit_offset": bit_offset,
            "bit_length": bit_length,
        }

    def _children(self, packet: Any, noted: TracedField, inner: Any, depth: int) -> list[Node]:
        value = noted.value
        if isinstance(inner, TCPOptionsField):
            return self._options(noted, tcp_options)
        if isinstance(inner, DHCPOptionsField):
            return self._options(noted, dhcp_options)
        if isinstance(inner, FlagsField):
            return self._flags(type(packet).__name__, noted, inner)
        if isinstance(value, Packet):
            value = [value]
        if isinstance(value, list) and value and isinstance(value[0], Packet):
            return [self._nested(part, depth + 1) for item in value for part in _parts(item) if self._left > 0]
        if isinstance(inner, FieldListField) and isinstance(value, list):
            return self._elements(packet, noted, inner)
        return []

    def _nested(self, packet: Any, depth: int) -> Node:
        """A packet inside a field: a field with fields."""
        self._left -= 1
        offset, length = self._extent(packet)
        fields = self._fields(packet, depth)
        return {
            "name": type(packet).__name__,
            "label": clean(str(packet.name)),
            "value": clean(", ".join(node["value"] for node in fields[:3] if node["value"])),
            "offset": offset,
            "length": length,
            "bit_offset": None,
            "bit_length": None,
            "fields": fields,
        }

    def _options(self, noted: TracedField, walk: Any) -> list[Node]:
        offset, length, _, _ = _extent_of(noted)
        if offset is None or length is None:
            return []
        nodes = []
        for at, size, label, value in walk(self._tracer.frame[offset : offset + length]):
            self._left -= 1
            if self._left < 0:
                break
            nodes.append(_plain("option", clean(label), value, offset + at, size))
        return nodes

    def _flags(self, layer: str, noted: TracedField, inner: Any) -> list[Node]:
        """The single bits of a flag field, most significant first."""
        if noted.begin is None or noted.end is None or getattr(inner, "rev", False):
            return []
        first, size = noted.begin[0] * 8 + noted.begin[1], inner.size
        nodes = []
        for place in range(size):
            bit = size - 1 - place
            name = clean(str(inner.names[bit])) if bit < len(inner.names) else ""
            if name in ("", "?") or self._left <= 0:
                continue
            self._left -= 1
            is_set = int(noted.value) >> bit & 1
            node = _plain(name, flag_label(layer, name), "set" if is_set else "not set", (first + place) // 8, 1)
            node["bit_offset"], node["bit_length"] = (first + place) % 8, 1
            nodes.append(node)
        return nodes

    def _elements(self, packet: Any, noted: TracedField, inner: Any) -> list[Node]:
        """Elements of a list of equal fields; those of unequal length have no places of their own."""
        offset, length, _, _ = _extent_of(noted)
        count = len(noted.value)
        even = offset is not None and length is not None and count > 0 and length % count == 0
        size = length // count if even and length is not None else None
        nodes = []
        for number, element in enumerate(noted.value):
            if self._left <= 0:
                break
            self._left -= 1
            at = offset + number * size if offset is not None and size is not None else None
            nodes.append(_plain(str(number), str(number + 1), field_text(packet, inner.field, element), at, size))
        return nodes

    def _searched(self, packet: Any) -> list[Node]:
        """Fields of a layer that takes itself apart (HTTP): each value is where its bytes are found in the layer, in order."""
        begin = self._tracer.place_of(packet.original)
        nodes = []
        for name, value in list(packet.fields.items()):
            descriptor = packet.fieldtype.get(name)
            if descriptor is None or value is None or self._left <= 0:
                continue
            self._left -= 1
            found = packet.original.find(value) if isinstance(value, bytes) and value and begin is not None else -1
            place = (
                (begin + found, len(value), None, None)
                if begin is not None and found >= 0
                else (None, None, None, None)
            )
            nodes.append(self._leaf(packet, _inner(descriptor, packet), value, place))
        return sorted(nodes, key=lambda node: len(self._tracer.frame) if node["offset"] is None else node["offset"])


def _plain(name: str, label: str, value: str, offset: int | None, length: int | None) -> Node:
    return {
        "name": name,
        "label": label,
        "value": value,
        "offset": offset,
        "length": length,
        "bit_offset": None,
        "bit_length": None,
    }


def _inner(descriptor: Any, packet: Any) -> Any:
    """The field that does the work: conditional and multiple-type fields only choose it."""
    for _ in range(4):
        find = getattr(descriptor, "_find_fld_pkt", None)
        if find is not None:
            try:
                descriptor = find(packet)
            except Exception:  # scapy's condition over hostile values
                return descriptor
        elif hasattr(descriptor, "fld"):
            descriptor = descriptor.fld
        else:
            break
    return descriptor


def _parts(item: Any) -> list[Any]:
    return [part for part in chain(item) if not isinstance(part, Padding)] if isinstance(item, Packet) else []


def _extent_of(noted: TracedField) -> tuple[int | None, int | None, int | None, int | None]:
    """(offset, length, bit_offset, bit_length) of a noted field."""
    if noted.begin is None or noted.end is None:
        return None, None, None, None
    (first, first_bit), (last, last_bit) = noted.begin, noted.end
    if first_bit == 0 and last_bit == 0:
        return first, last - first, None, None
    bits = (last - first) * 8 + last_bit - first_bit
    return first, (first_bit + bits + 7) // 8, first_bit, bits


def _value(packet: Any, inner: Any, value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Packet):
        return f"{len(value)} {'record' if len(value) == 1 else 'records'}"
    if isinstance(value, Packet):
        return clean(str(value.name))
    if isinstance(inner, (TCPOptionsField, DHCPOptionsField)):
        return f"{len(value)} options" if value else "none"
    text = field_text(packet, inner, value)
    if isinstance(inner, _EnumField) and isinstance(value, int) and text != str(value):
        return clean(f"{text} ({value})")
    return text
