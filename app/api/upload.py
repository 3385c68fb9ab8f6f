"""Receiving a capture file: multipart, straight to a private file while everything else goes on, limited in size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from flask import Request, request

from app.services.house import House
from app.services.query_errors import BadRequest

SHOWN_NAME: Final = 200
YIELD_BYTES: Final = 1 << 20  # a client that sends faster than we write must not keep the others waiting


@dataclass(slots=True)
class Upload:
    """A file that arrived. Deleted at the end of the request unless somebody took it over (`kept`)."""

    path: Path
    name: str
    size: int
    kept: bool = False


class _Writer:
    """The file object that the multipart parser writes to."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._unyielded = 0

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(data)
        self._unyielded += len(data)
        if self._unyielded >= YIELD_BYTES:
            self._unyielded = 0
            time.sleep(0)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        return b""  # the file is read by the sensor, not here

    def close(self) -> None:
        self._file.close()


class UploadRequest(Request):
    """Flask's request with uploads that go where `upload_writer` says, instead of the system's temporary directory."""

    writers: list[_Writer]

    def _get_file_stream(
        self, total_content_length: Any, content_type: Any, filename: Any = None, content_length: Any = None
    ) -> Any:
        if "netglass.uploads" not in self.environ:
            raise BadRequest("this address takes no files", "file")
        if self.environ["netglass.uploads"]:
            raise BadRequest("one file at a time", "file", ["a single file"])
        path, file = self.environ["netglass.new_upload"]()
        writer = _Writer(file, path)
        self.environ["netglass.uploads"].append(writer)
        return writer


@contextmanager
def received_file(house: House) -> Iterator[Upload]:
    """The file of this request's field `file`. 413 beyond MAX_UPLOAD_MB; `BadRequest` without one."""
    writers: list[_Writer] = []
    request.environ["netglass.uploads"] = writers
    request.environ["netglass.new_upload"] = house.captures.new_upload
    request.max_content_length = house.settings.max_upload_mb * 1024 * 1024 + 64 * 1024
    upload: Upload | None = None
    try:
        if request.mimetype != "multipart/form-data":
            raise BadRequest("the body is not a form with a file", "Content-Type", ["multipart/form-data"])
        found = request.files.get("file")
        if found is None or not writers:
            raise BadRequest("the form has no file", "file", ["a pcap or pcapng file in the field “file”"])
        writer = writers[0]
        writer.close()
        name = (
            "".join(c for c in (found.filename or "capture") if c.isprintable()).rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
        )
        upload = Upload(writer.path, name[-SHOWN_NAME:] or "capture", writer.size)
        yield upload
    finally:
        for writer in writers:
            writer.close()
            if upload is None or not upload.kept:
                writer.path.unlink(missing_ok=True)
