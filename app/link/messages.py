"""The messages between sensor and web process: msgpack maps with a `type`, their version and their shapes.

One idea: what comes out of `decode` is bounded (items, depth) and what passes `check` has the types the other side relies on, so neither
process has to trust the other. Fields nobody knows are let through; types nobody knows are counted by the channel and ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgpack

from app.model.columns import LAYOUTS, Layout
from app.model.errors import ProtocolError

VERSION: Final = 1
MAX_ITEMS: Final = 1_000_000  # in all lists and maps of one message together
MAX_DEPTH: Final = 64  # a dissection of nested tunnels is the deepest thing we send

Message = dict[str, Any]
# field → types it may have; a name that ends in "?" may be missing
Shape = Mapping[str, tuple[type, ...]]

_NULL: Final = type(None)

SENSOR_MESSAGES: Final[Mapping[str, Shape]] = {
    "hello": {"version": (int,), "pid": (int,), "boot": (str,), "layouts": (dict,)},
    "progress": {"task": (str,), "done": (int, float), "total": (int, float), "text": (str,)},
    "notice": {"level": (str,), "text": (str,)},
    "reply": {"id": (int,), "ok": (bool,), "result?": (dict, _NULL), "error?": (dict, _NULL), "more?": (bool,)},
    "snapshot": {
        "seq": (int,),
        "wall_ns": (int,),
        "now_ns": (int,),
        "capture": (dict,),
        "totals?": (dict,),
        "rates?": (dict,),
        "layers?": (list,),
        "sizes?": (list,),
        "hosts?": (list,),
        "ports?": (list,),
        "conversations?": (list,),
        "flows?": (bytes,),
        "flows_deferred?": (int,),
        "flows_active?": (int,),
        "packets?": (bytes,),
        "entropy?": (bytes,),
        "entropy_state?": (dict,),
        "packets_skipped?": (int,),
        "series?": (dict,),
        "losses?": (dict,),
        "latency?": (dict,),
        "store?": (dict,),
        "health?": (dict,),
    },
}

COMMANDS: Final[Mapping[str, Shape]] = {
    "start": {"id": (int,), "interfaces?": (list,), "bpf_filter?": (str, _NULL), "snaplen?": (int, _NULL)},
    "stop": {"id": (int,)},
    "replay": {"id": (int,), "path": (str,), "name?": (str, _NULL), "bpf_filter?": (str, _NULL)},
    "packets": {"id": (int,), "limit?": (int,), "before_id?": (int,), "q?": (str, _NULL)},
    "packet": {"id": (int,), "packet_id": (int,)},
    "dissect": {"id": (int,), "packet_id": (int,)},
    "export": {
        "id": (int,),
        "format?": (str,),
        "q?": (str, _NULL),
        "flow_id?": (int, _NULL),
        "limit_bytes?": (int, _NULL),
        "comments?": (list, _NULL),
        "shareable?": (bool, _NULL),
    },
    "quit": {"id": (int,)},
}

_ROWS: Final[Mapping[str, str]] = {"flows": "flow", "packets": "packet_row", "entropy": "entropy"}


def item_size(layout: Layout) -> int:
    """Bytes of one row of a layout: the digits of a format are its size (`<u8`, `V64`, `S24`)."""
    return sum(int("".join(c for c in form if c.isdigit())) for _, form in layout)


ITEM_SIZES: Final[dict[str, int]] = {name: item_size(layout) for name, layout in LAYOUTS.items()}


class _Count:
    """Counts the items of one message while msgpack builds it, and stops it before the memory is gone."""

    def __init__(self) -> None:
        self.items = 0

    def add(self, container: Any) -> Any:
        self.items += len(container) + 1
        if self.items > MAX_ITEMS:
            raise ProtocolError(f"a message has more than {MAX_ITEMS} items")
        return container


def encode(message: Message) -> bytes:
    """One message as msgpack. Raises ProtocolError where it holds something that has no form on the link."""
    try:
        payload: bytes = msgpack.packb(message, use_bin_type=True)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ProtocolError(f"a message of type {message.get('type')!r} cannot be sent: {error}") from None
    return payload


def decode(payload: bytes) -> Message:
    """One message. Raises ProtocolError for anything that is not a bounded map with a text `type`."""
    count = _Count()
    try:
        message = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=True,
            list_hook=count.add,
            object_hook=count.add,
            max_ext_len=0,
        )
    except ProtocolError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a message could not be read: {type(error).__name__}: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("a message is not a map with a type")
    _check_depth(message)
    return message


def _check_depth(message: Message) -> None:
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for container in level:
            values = container.values() if isinstance(container, dict) else container
            inner.extend(value for value in values if isinstance(value, (dict, list)))
        if not inner:
            return
        level = inner
    raise ProtocolError(f"a message is nested deeper than {MAX_DEPTH} levels")


def check(message: Message, shapes: Mapping[str, Shape]) -> bool:
    """True where the message has a known type and the right shape, False where its type is unknown.

    Raises ProtocolError, naming type and field, where a field is missing or of the wrong type or an array is no whole number of rows.
    """
    kind = message["type"]
    shape = shapes.get(kind)
    if shape is None:
        return False
    for key, types in shape.items():
        name = key.rstrip("?")
        if name not in message:
            if key.endswith("?"):
                continue
            raise ProtocolError(f"{kind} without {name}")
        value = message[name]
        # bool is an int to Python, not to us
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ProtocolError(f"{kind}.{name} is a {type(value).__name__}")
    if kind == "snapshot":
        _check_rows(message)
    elif kind == "hello" and message["version"] != VERSION:
        raise ProtocolError(
            f"the sensor speaks version {message['version']} of the link, this process version {VERSION}"
        )
    return True


def _check_rows(snapshot: Message) -> None:
    for name, layout in _ROWS.items():
        if len(snapshot.get(name, b"")) % ITEM_SIZES[layout]:
            raise ProtocolError(f"snapshot.{name} is no whole number of rows")
    for step, rows in snapshot.get("series", {}).items():
        if not isinstance(rows, bytes) or len(rows) % ITEM_SIZES["bucket"]:
            raise ProtocolError(f"snapshot.series[{str(step)[:20]!r}] is no whole number of rows")


def hello(pid: int, boot: str) -> Message:
    """The first message of a sensor."""
    return {"type": "hello", "version": VERSION, "pid": pid, "boot": boot, "layouts": dict(ITEM_SIZES)}
