"""A packet as lines of text: compact, minimal or detailed."""

from __future__ import annotations

from typing import Any, Final

from app.terminal.packet_words import PacketWords, Row, words
from app.terminal.palette import PROTOCOL_COLORS, Palette, printable

PREVIEW_BYTES: Final = 64
_HEX_PER_LINE: Final = 16
_MAX_TREE_LINES: Final = 200


def minimal(row: Row, palette: Palette) -> str:
    """Time, protocol, source → destination."""
    packet = words(row)
    return f"{_head(packet, palette)} {packet.src} → {packet.dst}"


def compact(row: Row, palette: Palette) -> str:
    """`[14:32:15.421] TCP      192.168.1.100   → 172.217.14.206  |  5432 → 443(HTTPS) [PA] | 1420 bytes`"""
    packet = words(row)
    middle = _ports(packet, palette) if packet.src_port is not None else packet.info
    return f"{_head(packet, palette)} {packet.src:<15} → {packet.dst:<15} | {middle} | {packet.size} bytes"


def detailed(row: Row, tree: list[dict[str, Any]] | None, palette: Palette) -> list[str]:
    """The compact line, then sequence numbers, the first payload bytes, and every field of every layer. `tree`: from the dissector, None: not
    taken apart."""
    lines = [compact(row, palette)]
    if row["protocol"] == 6 and not row["reason"] and not row["kind"] & 2:
        lines.append(
            f"    seq {row['seq']}  ack {row['ack']}  window {row['window']}  payload {row['payload_len']} bytes"
        )
    elif row["payload_len"]:
        lines.append(f"    payload {row['payload_len']} bytes")
    if row["vlan"]:
        lines.append(f"    VLAN {row['vlan']}")
    payload = bytes(row["payload"])[: row["payload_kept"]]
    lines += [f"    {palette.paint(f'{at:04x}', 'dim')}  {text}" for at, text in _dump(payload)]
    if tree is not None:
        lines += [f"    {line}" for line in _tree_lines(tree, palette)]
    return lines


def _head(packet: PacketWords, palette: Palette) -> str:
    label = palette.paint(f"{packet.label:<8}", PROTOCOL_COLORS.get(packet.label))
    return f"{palette.paint(f'[{packet.time}]', 'cyan')} {label}"


def _ports(packet: PacketWords, palette: Palette) -> str:
    named = f"({packet.service})" if packet.service else ""
    src = f"{packet.src_port:>5}" if packet.service_of_dst else f"{packet.src_port:>5}{named}"
    dst = f"{packet.dst_port}{named}" if packet.service_of_dst else f"{packet.dst_port}"
    flags = f" {palette.paint(f'[{packet.flags}]', 'red')}" if packet.flags else ""
    return f"{palette.paint(src, 'yellow')} → {palette.paint(dst, 'yellow')}{flags}"


def _dump(data: bytes) -> list[tuple[int, str]]:
    """(offset, hex and ASCII) of each line."""
    found = []
    for at in range(0, len(data), _HEX_PER_LINE):
        part = data[at : at + _HEX_PER_LINE]
        text = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in part)
        found.append((at, f"{part.hex(' '):<{_HEX_PER_LINE * 3 - 1}}  {text}"))
    return found


def _tree_lines(tree: list[dict[str, Any]], palette: Palette) -> list[str]:
    """Layers (app/dissect/tree.py) with their fields, indented."""
    lines: list[str] = []
    for layer in tree:
        lines.append(palette.paint(printable(str(layer["label"])), "bold"))
        _add_fields(lines, layer["fields"], 1)
    if len(lines) > _MAX_TREE_LINES:
        lines[_MAX_TREE_LINES:] = [f"… {len(lines) - _MAX_TREE_LINES} more lines"]
    return lines


def _add_fields(lines: list[str], fields: list[dict[str, Any]], depth: int) -> None:
    for field in fields:
        lines.append("  " * depth + printable(f"{field['label']}: {field['value']}"))
        _add_fields(lines, field.get("fields") or [], depth + 1)
