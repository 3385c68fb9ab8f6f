"""The entropy log: named, rotated, capped, and quiet about a disk that is full – but not silent."""

from __future__ import annotations

import csv
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from app.export.entropy_log import HEADER, NAME, EntropyLog, LogLimits

ROW = ("2026-11-21T10:00:00.000000Z", "eth0", "TCP 10.0.0.1:1000 > 192.0.2.9:443", "7.9901", "")


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> list[tuple[str, str]]:
    return []


def make(directory: Path, said, clock=None, **limits) -> EntropyLog:
    return EntropyLog(directory, LogLimits(**limits), lambda *words: said.append(words), clock or Clock())


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_file_has_its_name_header_and_rows(tmp_path, said):
    log = make(tmp_path / "logs", said)
    log.write("eth0", [ROW])
    log.write("eth0", [ROW])
    (entry,) = log.listing()
    assert entry["name"] == "entropy_log_eth0_20260921T141320Z.csv"
    assert entry["current"]
    assert lines(log.files()[0]) == [list(HEADER), list(ROW), list(ROW)]
    assert log.path_of(entry["name"]) == log.files()[0]


@pytest.mark.parametrize(
    "interface", ["../../etc/passwd", "wlan 0; rm -rf", "", "ü" * 300, "a" * 300, ".hidden", "=cmd"]
)
def test_no_interface_makes_a_dangerous_name(tmp_path, said, interface):
    log = make(tmp_path / "logs", said)
    log.write(interface, [ROW])
    (path,) = log.files()
    assert path.parent == tmp_path / "logs"
    assert NAME.match(path.name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x.csv", "entropy_log_eth0_20260921T141320Z.csv/..", "x.csv", "entropy_log_a_b.csv", "\0"],
)
def test_other_names_are_no_logs(tmp_path, said, name):
    (tmp_path / "x.csv").write_text("secret")
    assert make(tmp_path, said).path_of(name) is None


def test_links_are_not_followed(tmp_path, said):
    (tmp_path / "secret").write_text("secret")
    name = "entropy_log_eth0_20260921T141320Z.csv"
    (tmp_path / name).symlink_to(tmp_path / "secret")
    assert make(tmp_path, said).path_of(name) is None


def test_rotation_by_size_and_caps_by_number_and_age(tmp_path, said):
    clock = Clock()
    log = make(tmp_path, said, clock, file_bytes=300, files=3, days=2)
    for _ in range(40):
        log.write("eth0", [ROW])
        clock.now += 1
    assert len(log.files()) == 3
    assert all(path.stat().st_size <= 300 + 100 for path in log.files())
    for path in log.files():
        os.utime(path, (clock.now - 3 * 86_400,) * 2)
    log.write("other", [ROW])
    assert [path.name for path in log.files()] == [log.listing()[0]["name"]]
    (tmp_path / "notes.txt").write_text("mine")
    log.write("again", [ROW])
    assert (tmp_path / "notes.txt").exists()


def test_no_cell_is_a_formula(tmp_path, said):
    log = make(tmp_path, said)
    log.write("eth0", [(*ROW[:2], "=HYPERLINK(1)", "@x", "+1")])
    assert lines(log.files()[0])[1][2:] == ["'=HYPERLINK(1)", "'@x", "'+1"]


def test_a_directory_that_cannot_be_is_said_once_and_tried_again(tmp_path, said):
    clock = Clock()
    (tmp_path / "logs").write_text("a file in the way")
    log = make(tmp_path / "logs", said, clock)
    for _ in range(5):
        log.write("eth0", [ROW])
    assert len(said) == 1
    assert said[0][0] == "error"
    assert "cannot be written" in said[0][1]
    assert (log.rows, log.rows_lost) == (0, 5)
    (tmp_path / "logs").unlink()
    clock.now += 31
    log.write("eth0", [ROW])
    assert (log.rows, log.rows_lost, log.problem) == (1, 5, None)
    assert said[1][0] == "info"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_loses_only_what_did_not_fit(said):
    directory = Path("/tmp") / f"netglass-full-{uuid.uuid4().hex}"
    directory.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], check=False).returncode:
        directory.rmdir()
        pytest.skip("no file system can be mounted here")
    try:
        log = make(directory, said)
        for _ in range(20):
            log.write("eth0", [ROW] * 100)
        assert said[0][0] == "error"
        assert "No space left" in said[0][1]
        assert log.rows + log.rows_lost == 2_000
        kept = lines(log.files()[0])
        assert len(kept) == log.rows + 1
        assert all(row == list(ROW) for row in kept[1:])
    finally:
        subprocess.run(["umount", str(directory)], check=True)
        directory.rmdir()
