"""Held packets as a capture file, in parts: pcap or pcapng, times in nanoseconds, card numbers masked.

A pcapng file describes an interface for each (interface, link type) that occurs, when it first occurs. A pcap file has one link type; other
selections are refused with the way out. Frames are masked on their way (`card_free`), never in the store.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from app.export.card_free import card_free
from app.model.errors import CommandError
from app.wire.pcap_write import pcap_header, pcapng_header, pcapng_interface

NO_COMMENTS: Final[Mapping[int, str]] = {}
FORMATS: Final = ("pcap", "pcapng")
PART_BYTES: Final = 256 * 1024  # a part is sent once it is this long; the longest is this and one frame more
_PCAP_RECORD: Final = struct.Struct("<IIII")
_PACKET_BLOCK: Final = struct.Struct("<IIIIIII")
_NS: Final = 10**9


class Frame(Protocol):
    """What is written of a packet. `wire_len` may be more than there is of the frame."""

    @property
    def ts(self) -> int: ...
    @property
    def frame(self) -> bytes: ...
    @property
    def wire_len(self) -> int: ...
    @property
    def link_type(self) -> int: ...
    @property
    def interface(self) -> int: ...
    @property
    def hidden(self) -> Sequence[int]: ...  # positions of digits of card numbers


def export_parts(
    frames: Iterable[Frame],
    file_format: str,
    interfaces: Sequence[str],
    link_types: Collection[int],
    unmasked: bool = False,
    comment: str = "",
    comments: Mapping[int, str] = NO_COMMENTS,
) -> Iterator[bytes]:
    """The file, part by part. comment: on the whole file, comments: on each packet of a flow, both in a pcapng one.

    interfaces: names by number; link_types: those of the frames, as asked of the store beforehand. CommandError at once, before any part:
    `bad_format`, `empty`, `several_link_types`.
    """
    if file_format not in FORMATS:
        raise CommandError(
            "bad_format", f"“{file_format[:20]}” is no format of a capture file; allowed: {', '.join(FORMATS)}."
        )
    if not link_types:
        raise CommandError("empty", "No packet that is still held matches, so there is nothing to export.")
    if file_format == "pcap" and len(link_types) > 1:
        raise CommandError(
            "several_link_types",
            "A pcap file holds one link type, but these packets have several; export them as pcapng.",
        )
    records = (
        _pcapng(frames, interfaces, unmasked, comment, comments)
        if file_format == "pcapng"
        else _pcap(frames, min(link_types), unmasked)
    )
    return _parts(records)


def _parts(records: Iterator[bytes]) -> Iterator[bytes]:
    part = bytearray()
    for record in records:
        part += record
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


def _masked(frame: Frame, unmasked: bool) -> bytes:
    return frame.frame if unmasked else card_free(frame.frame, frame.link_type, frame.hidden)[0]


def _pcap(frames: Iterable[Frame], link_type: int, unmasked: bool) -> Iterator[bytes]:
    yield pcap_header(link_type)
    for frame in frames:
        if frame.link_type != link_type:
            continue  # came in after the question which link types there are
        data = _masked(frame, unmasked)
        seconds, rest = divmod(max(frame.ts, 0), _NS)
        yield _PCAP_RECORD.pack(seconds & 0xFFFFFFFF, rest, len(data), max(frame.wire_len, len(data))) + data


def _pcapng(
    frames: Iterable[Frame], interfaces: Sequence[str], unmasked: bool, comment: str, comments: Mapping[int, str]
) -> Iterator[bytes]:
    yield pcapng_header(comment)
    known: dict[tuple[int, int], int] = {}
    for frame in frames:
        key = frame.interface, frame.link_type
        if key not in known:
            known[key] = len(known)
            name = interfaces[frame.interface] if frame.interface < len(interfaces) else ""
            yield pcapng_interface(name, frame.link_type)
        data = _masked(frame, unmasked)
        padding = -len(data) % 4
        options = _option(comments.get(getattr(frame, "flow_id", 0)))
        length = 32 + len(data) + padding + len(options)
        ts = max(frame.ts, 0)
        wire_len = max(frame.wire_len, len(data))
        header = _PACKET_BLOCK.pack(6, length, known[key], ts >> 32, ts & 0xFFFFFFFF, len(data), wire_len)
        yield header + data + bytes(padding) + options + struct.pack("<I", length)


def _option(comment: str | None) -> bytes:
    """opt_comment and the end of options (pcapng, section 3.5); nothing without a comment."""
    if not comment:
        return b""
    text = comment.encode("utf-8", "replace")
    return struct.pack("<HH", 1, len(text)) + text + bytes(-len(text) % 4) + bytes(4)
