"""The commands of the web process, each to its reply or to a stream of replies. A command that cannot be done gets an error, never silence."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from app.dissect.client import Dissector
from app.export.pcap import export_parts
from app.export.shareable_frames import ShareableFrames
from app.link.messages import COMMANDS, Message, check
from app.model.errors import CommandError, ProtocolError
from app.sensor.capture_control import CaptureControl
from app.sensor.packet_store import PacketStore, StoredPacket
from app.wire.filter import Query, QueryError, parse
from app.wire.filter_columns import packet_fields

MAX_ROWS: Final = 1000  # packets in one reply
MAX_STREAMS: Final = 8  # exports under way
MAX_COMMENTS: Final = 100_000
MAX_COMMENT: Final = 400  # characters
_MAX_ID: Final = 1 << 62

Reply = Callable[[Message], object]


class Commands:
    """Dispatches; streams are pumped by the loop when the link has room."""

    def __init__(
        self, control: CaptureControl, store: PacketStore, dissector: Dissector, reply: Reply, unmasked: bool
    ) -> None:
        self._control = control
        self._store = store
        self._dissector = dissector
        self._unmasked = unmasked  # exports may hold card numbers
        self._reply = reply
        self._streams: deque[tuple[int, Iterator[bytes], ShareableFrames | None]] = deque()
        self.quit = False
        self._commands: Mapping[str, Callable[[Message], dict[str, Any]]] = {
            "start": self._start,
            "stop": self._stop,
            "replay": self._replay,
            "packets": self._packets,
            "packet": self._packet,
            "quit": self._quit,
        }
        self._answered_later: Mapping[str, Callable[[Message], None]] = {
            "dissect": self._dissect,
            "export": self._export,
        }

    def handle(self, message: Message) -> None:
        """Do one command and answer it."""
        try:
            check(message, COMMANDS)
            if message["type"] in self._answered_later:
                self._answered_later[message["type"]](message)
                return
            result = self._commands[message["type"]](message)
        except CommandError as error:
            self._refuse(message, error.code, error.message)
        except QueryError as error:
            self._refuse(message, "bad_query", str(error))
        except ProtocolError as error:
            self._refuse(message, "bad_command", str(error))
        else:
            self._reply({"type": "reply", "id": message["id"], "ok": True, "result": result})

    def _refuse(self, message: Message, code: str, text: str) -> None:
        number = message.get("id")
        if isinstance(number, int) and abs(number) < _MAX_ID:
            self._reply({"type": "reply", "id": number, "ok": False, "error": {"code": code, "message": text}})

    # -- capture ------------------------------------------------------------------------------------------------------

    def _start(self, message: Message) -> dict[str, Any]:
        names = message.get("interfaces") or []
        if not all(isinstance(name, str) for name in names) or len(names) > 64:
            raise ProtocolError("start.interfaces is a list of at most 64 names")
        self._control.start(names, message.get("bpf_filter") or "", message.get("snaplen") or 0)
        return {}

    def _stop(self, message: Message) -> dict[str, Any]:
        self._control.stop()
        return {}

    def _replay(self, message: Message) -> dict[str, Any]:
        self._control.replay(message["path"], message.get("name") or "", message.get("bpf_filter") or "")
        return {}

    def _quit(self, message: Message) -> dict[str, Any]:
        self.quit = True
        return {}

    # -- packets ------------------------------------------------------------------------------------------------------

    def _query(self, message: Message) -> Query:
        names = [one["name"] for one in self._control.state()["interfaces"]]
        return parse(message.get("q") or "", packet_fields(names))

    def _packets(self, message: Message) -> dict[str, Any]:
        limit = min(max(message.get("limit", 100), 1), MAX_ROWS)
        before = min(max(message.get("before_id", 0), 0), _MAX_ID)
        rows, next_before, scanned = self._store.rows(self._query(message), limit, before, time.time_ns())
        return {"rows": rows.tobytes(), "next_before_id": next_before, "scanned": scanned}

    def _held(self, message: Message) -> StoredPacket:
        packet_id = message["packet_id"]
        held = self._store.get(packet_id) if 0 < packet_id < _MAX_ID else None
        if held is None:
            raise CommandError("not_held", f"packet {packet_id} is not held any more, or never was")
        return held

    def _packet(self, message: Message) -> dict[str, Any]:
        held = self._held(message)
        interfaces = self._control.state()["interfaces"]
        name = interfaces[held.interface]["name"] if held.interface < len(interfaces) else ""
        return {"row": held.row.tobytes(), "frame": held.shown, "link_type": held.link_type, "interface": name}

    def _dissect(self, message: Message) -> None:
        held = self._held(message)
        if abs(message["id"]) >= _MAX_ID:
            raise ProtocolError("dissect.id is too large")
        self._dissector.submit(message["id"], held.shown, held.link_type, is_masked=held.shown != held.frame)
        self.deliver()

    def deliver(self) -> None:
        """Send the dissections that are done."""
        for number, result in self._dissector.poll():
            self._reply({"type": "reply", "id": number, "ok": True, "result": result})

    # -- export -------------------------------------------------------------------------------------------------------

    def _export(self, message: Message) -> None:
        """Starts a stream. What can be refused is refused before its first part."""
        if len(self._streams) >= MAX_STREAMS:
            raise CommandError("busy", f"{MAX_STREAMS} exports are under way; try again when one is done")
        query, flow_id, now = self._query(message), message.get("flow_id") or 0, time.time_ns()
        if not 0 <= flow_id < _MAX_ID:
            raise ProtocolError("export.flow_id is not the number of a flow")
        limit = message.get("limit_bytes") or 1 << 40
        names = [one["name"] for one in self._control.state()["interfaces"]]
        frames: Iterator[Any] = self._store.iter_frames(query, flow_id, limit, now, hide=not self._unmasked)
        share = ShareableFrames() if message.get("shareable") else None
        if share is not None:
            frames, names = share.frames(frames), [f"interface {number}" for number in range(len(names))]
        parts = export_parts(
            frames,
            message.get("format") or "pcap",
            names,
            self._store.link_types(query, flow_id, now),
            self._unmasked,
            comments={} if share is not None else _comments(message.get("comments") or []),
        )
        self._streams.append((message["id"], parts, share))

    def pump(self, has_room: Callable[[], bool]) -> None:
        """Send further parts of the streams, in turn, while the link has room."""
        while self._streams and has_room():
            number, parts, share = self._streams.popleft()
            try:
                part = next(parts, None)
            except CommandError as error:
                self._refuse({"id": number}, error.code, error.message)
                continue
            if part is None:
                last = {"data": b"", **({"manifest": share.manifest()} if share is not None else {})}
                self._reply({"type": "reply", "id": number, "ok": True, "result": last, "more": False})
                continue
            self._reply({"type": "reply", "id": number, "ok": True, "result": {"data": part}, "more": True})
            self._streams.append((number, parts, share))

    @property
    def streaming(self) -> bool:
        """Parts wait to be made."""
        return bool(self._streams)


def _comments(pairs: list[Any]) -> dict[int, str]:
    """[flow, text] pairs of an export command; ProtocolError where they are none."""
    if len(pairs) > MAX_COMMENTS or not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], int) and isinstance(pair[1], str)
        for pair in pairs
    ):
        raise ProtocolError(f"export.comments are at most {MAX_COMMENTS} pairs of a flow and a text")
    return {flow_id: text[:MAX_COMMENT] for flow_id, text in pairs}
