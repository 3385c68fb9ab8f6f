"""Files of rows: what is asked for becomes a stream of bytes, or a file in EXPORT_DIR; nothing is held but the part in hand."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from app.concurrency import run_blocking
from app.export.archive import zipped
from app.export.formats import FORMATS
from app.export.pseudonyms import Pseudonyms
from app.export.schemas import SCHEMA_NAMES, SCHEMAS, native_view
from app.export.shareable import Shareable
from app.export.tables import Format, Writer
from app.export.view import View
from app.services.export_sources import DATASETS, Dataset, Documents, ExportRequest
from app.services.history_pages import exported
from app.services.house import House
from app.services.query_errors import BadRequest, NotThere, Unavailable

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Export:
    """A file that is about to be written. `pieces` is read once, on the hub."""

    file_name: str
    content_type: str
    pieces: Iterator[bytes]


def dataset(name: str) -> Dataset:
    """`BadRequest` for one that does not exist."""
    if name not in DATASETS:
        raise BadRequest(f"there is nothing called {name[:40]!r} to export", "what", DATASETS)
    return DATASETS[name]


def export(
    house: House,
    what: str,
    file_format: str,
    schema: str,
    wanted: ExportRequest,
    past: bool = False,
    shareable: bool = False,
) -> Export:
    """`past`: of the history; `shareable`: with pseudonyms, in an archive with a manifest. `BadRequest` names what does not exist; `NotThere` says why there is nothing."""
    chosen = dataset(what)
    if schema not in SCHEMA_NAMES:
        raise BadRequest(f"{schema[:40]!r} is no schema", "schema", SCHEMA_NAMES)
    if schema != "native" and chosen.schema_key not in SCHEMAS[schema]:
        raise BadRequest(f"{what} have no form in {schema}", "schema", ["native"])
    if schema == "zeek" and file_format == "csv":
        file_format = "zeek"
    form = FORMATS[file_format]
    shape = native_view(chosen.fields, chosen.path) if schema == "native" else SCHEMAS[schema][chosen.schema_key]
    if past:
        parts, take = exported(house.history, what, wanted, schema != "native"), _here
    else:
        parts, take = chosen.live(house, wanted, schema != "native"), _elsewhere
    first = take(parts)
    if first is None:
        raise NotThere("Nothing in the history matches." if past else why_empty(house, what, wanted))
    name = f"netglass-{what}" + (f"-{schema}" if schema != "native" else "")
    file_name = f"{name}.{form.extension}"
    if not shareable:
        return Export(file_name, form.content_type, _pieces(form, shape, first, lambda: take(parts)))
    share, rows = Shareable(Pseudonyms()), [0]

    def hidden(part: Documents | None) -> Documents | None:
        if part is None:
            return None
        rows[0] += len(part)
        return run_blocking(_hidden, share, part)

    pieces = _pieces(form, shape, hidden(first), lambda: hidden(take(parts)))
    manifest = zipped(
        file_name,
        pieces,
        "manifest.json",
        lambda: json.dumps({"file": file_name, **share.manifest(rows[0])}, indent=2).encode(),
    )
    return Export(f"{name}-shareable.zip", "application/zip", manifest)


def _hidden(share: Shareable, part: Documents) -> Documents:
    return [share.document(document) for document in part]


def _here(parts: Iterator[Documents]) -> Documents | None:
    """The next part where taking it waits for another process."""
    return next(parts, None)


def _elsewhere(parts: Iterator[Documents]) -> Documents | None:
    """The next part where taking it is plain work."""
    return run_blocking(next, parts, None)


def _pieces(
    form: Format, shape: View, part: Documents | None, following: Callable[[], Documents | None]
) -> Iterator[bytes]:
    writer = form.writer(shape.table())
    yield writer.head()
    while part is not None:
        yield run_blocking(_written, writer, shape, part)
        part = following()
    yield writer.tail()


def _written(writer: Writer, shape: View, part: Documents) -> bytes:
    return writer.rows(shape.rows(part))


def why_empty(house: House, what: str, wanted: ExportRequest) -> str:
    """One sentence: why an export holds no row."""
    if not house.mirror.part("totals").get("packets", 0):
        return "There is nothing to export: no packet has been captured yet."
    if wanted.flow_id is not None:
        return f"There are no {what} of flow {wanted.flow_id}: it was never seen, or is no longer held."
    if wanted.alert is not None:
        return f"There are no {what} of alert {wanted.alert['id']} that are still held and match."
    if wanted.q or wanted.first_ns is not None or wanted.last_ns is not None:
        return f"None of the {what} that are held matches the query and the time asked for."
    return f"There is nothing to export: no {what} are held."


def saved(directory: Path, name: str, pieces: Iterator[bytes]) -> dict[str, Any]:
    """Writes the pieces to a new file in `directory` that only this user can read; `{path, name, bytes}`. `Unavailable` where it cannot be written;
    then nothing is left behind."""
    path = directory / _dated(name)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise Unavailable(f"The export cannot be written to {directory}: {error.strerror}.", "not_written") from None
    size = 0
    try:
        with open(descriptor, "wb", buffering=0) as file:
            for piece in pieces:
                size += len(piece)
                run_blocking(_write_all, file.fileno(), piece)
    except BaseException as error:
        path.unlink(missing_ok=True)  # half a file is no export
        if isinstance(error, OSError):
            raise Unavailable(
                f"The export cannot be written to {directory}: {error.strerror}.", "not_written"
            ) from None
        raise
    return {"path": str(path), "name": path.name, "bytes": size}


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _dated(name: str) -> str:
    """`netglass-connections-20261121T150405Z-1a2b.csv`: never one that exists, never one that leaves the directory."""
    stem, _, extension = _NOT_IN_NAMES.sub("-", name).strip(".-").rpartition(".")
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{stem[:80]}-{now}-{secrets.token_hex(2)}.{extension[:12]}"
