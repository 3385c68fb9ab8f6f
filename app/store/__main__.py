"""The store's process: length-prefixed msgpack questions on one socket (file descriptor 0), one answer each, until it closes.

It is the only one that imports DuckDB. A question that fails is answered with the reason; a database that has failed ends the process, and the
next one opens the file again.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import msgpack

from app import privileges
from app.link.frames import FrameDecoder, encode_frame
from app.store.database import Database, StoreError, free_bytes
from app.store.reading import Reader, Wanted
from app.wire.filter import QueryError

_log = logging.getLogger(__name__)
_READ: Final = 1 << 20
Message = dict[str, Any]


class Answers:
    """Each question by name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path)
        self._reader = Reader(self._database.connection)
        self._questions: Mapping[str, Callable[[Message], Any]] = {
            "write": lambda message: {"rows": self._database.write(message)},
            "flows": self._flows,
            "facts": self._facts,
            "documents": self._documents,
            "top": lambda message: {"rows": self._reader.top(message["by"], Wanted.of(message), int(message["limit"]))},
            "totals": lambda message: self._reader.totals(Wanted.of(message)),
            "series": lambda message: {"rows": self._reader.series(Wanted.of(message), int(message["step"]))},
            "tidy": self._tidy,
            "state": lambda message: self._state(),
            "checkpoint": lambda message: self._database.checkpoint(),
        }

    def answer(self, message: Message) -> Message:
        """`{ok, result}` or `{ok, error {code, message}}`."""
        try:
            return {"ok": True, "result": self._questions[message["type"]](message)}
        except StoreError as error:
            return {"ok": False, "error": {"code": error.code, "message": error.message}}
        except QueryError as error:
            return {"ok": False, "error": {"code": "bad_query", "message": error.message}}
        except (duckdb.Error, ValueError, KeyError, TypeError, ArithmeticError) as error:
            _log.error("history: %s failed", message.get("type"), exc_info=error)
            return {"ok": False, "error": {"code": "failed", "message": f"History: {error!s:.300}"}}

    def roll(self) -> None:
        """After a batch: sums up one part of time, where one is over."""
        try:
            self._database.roll()
        except StoreError as error:
            _log.error("history: %s", error.message)

    def _flows(self, message: Message) -> Message:
        return self._reader.flows(Wanted.of(message), *_paging(message))

    def _facts(self, message: Message) -> Message:
        return self._reader.facts(message["kind"], Wanted.of(message), *_paging(message))

    def _documents(self, message: Message) -> Message:
        return self._reader.documents(
            message["table"], Wanted.of(message), int(message["limit"]), int(message.get("offset") or 0)
        )

    def _tidy(self, message: Message) -> Message:
        gone = self._database.tidy(time.time_ns(), int(message["days"]), int(message["max_bytes"]))
        self._reader = Reader(self._database.connection)  # another one, where the file was written anew
        return {"gone": gone, **self._state()}

    def _state(self) -> Message:
        moved = self._database.moved_aside
        return {
            "used_bytes": self._database.used_bytes(),
            "free_disk_bytes": free_bytes(self._path.parent),
            "oldest_ns": self._reader.oldest_ns(),
            "counts": self._reader.counts(),
            "moved_aside": None if moved is None else moved.name,
        }


def _paging(message: Message) -> tuple[int, tuple[int, int] | None, int, bool]:
    before = message.get("before")
    return (
        int(message["limit"]),
        None if before is None else (int(before[0]), int(before[1])),
        int(message.get("offset") or 0),
        bool(message.get("count")),
    )


def serve(sock: socket.socket, path: Path) -> int:
    """Answer until the parent closes the socket; the exit status."""
    try:
        answers = Answers(path)
        first: Message = {"ok": True, "result": {"ready": True}}
    except StoreError as error:
        sock.sendall(
            encode_frame(msgpack.packb({"ok": False, "error": {"code": error.code, "message": error.message}}))
        )
        return 1
    sock.sendall(encode_frame(msgpack.packb(first)))
    decoder = FrameDecoder()
    while data := sock.recv(_READ):
        decoder.feed(data)
        while (frame := decoder.next_frame()) is not None:
            message = msgpack.unpackb(frame, strict_map_key=False)
            answer = answers.answer(message)
            sock.sendall(encode_frame(msgpack.packb(answer)))
            if not answer["ok"] and answer["error"]["code"] == "failed":
                return 1
            if message["type"] == "write":
                answers.roll()  # while nobody waits
    return 0


def main() -> None:
    privileges.seal()
    privileges.die_with_parent(os.getppid(), signal.SIGTERM)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parents; this process ends with its socket
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    sock = socket.socket(fileno=0)
    sock.setblocking(True)  # the parent may have left O_NONBLOCK on what we inherited
    try:
        status = serve(sock, Path(sys.argv[1]))
    except OSError:
        status = 0  # the parent is gone
    os._exit(status)  # DuckDB's own clean-up prints notes at a regular end


if __name__ == "__main__":
    main()
