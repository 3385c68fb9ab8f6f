"""Values of fields as text for people: bounded, and with nothing in it that is not printable."""

from __future__ import annotations

from typing import Any, Final

MAX_TEXT: Final = 200
_MAX_REPR_INPUT: Final = 4096  # longer lists are not even asked for their text


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text with control and other unprintable characters escaped, cut to `limit` characters."""
    text = text[: limit + 1]
    if not text.isprintable():
        text = "".join(
            [c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text]
        )
    return text if len(text) <= limit else text[: limit - 1] + "…"


def bytes_text(data: bytes) -> str:
    """Bytes as quoted text when they are printable ASCII, else as hex."""
    if not data:
        return ""
    part = data[:MAX_TEXT]
    try:
        text = part.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if text and all(c.isprintable() or c in "\r\n\t" for c in text):
        return clean(text if len(data) == len(part) else text + "…" * 2)
    shown = data[: (MAX_TEXT - 1) // 2].hex()
    return shown if len(data) * 2 <= MAX_TEXT - 1 else shown + "…"


def field_text(packet: Any, descriptor: Any, value: Any) -> str:
    """What scapy shows for a value, or as much of it as can be shown."""
    if value is None:
        return ""
    if type(value) is not bytes and isinstance(value, bytes):
        value = bytes(value)  # a placed part of the frame: as plain bytes it costs less to show
    if isinstance(value, bytes) and len(value) > MAX_TEXT:
        return bytes_text(value)
    if isinstance(value, (list, tuple)) and len(value) > _MAX_REPR_INPUT:
        return f"{len(value)} values"
    try:
        text = descriptor.i2repr(packet, value)
    except Exception:  # scapy's own code over hostile values: whatever it raises, the value is only shown plainly
        text = repr(value)[: MAX_TEXT * 4]
    if not isinstance(text, str):
        text = str(text)
    if isinstance(value, bytes) and text == repr(value):
        return bytes_text(value.rstrip(b"\0"))
    if len(text) >= 2 and text[0] == text[-1] == "'" and isinstance(value, str):
        text = text[1:-1]
    return clean(text)
