"""The file that is captured into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app.capture.output_file import OutputFile
from app.model.errors import CaptureError


def test_it_is_the_owners_alone_and_emptied_first(tmp_path: Path) -> None:
    for name in ("new.pcap", "old.pcap"):
        path = tmp_path / name
        if name == "old.pcap":
            path.write_bytes(b"much longer than what follows")
            path.chmod(0o644)
        output = OutputFile(str(path))
        output.write(memoryview(b"abc"))
        output.close()
        assert path.read_bytes() == b"abc"
        assert output.size == 3
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "no" / "file", tmp_path / "pipe"):
        with pytest.raises(CaptureError) as refused:
            OutputFile(str(path))
        assert refused.value.message.startswith(f"{path} cannot be written: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error() -> None:
    output = OutputFile("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        output.write(b"x")
    output.abandon()
    output.abandon()
