"""What the program is made of, and the processes of this program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.host.own_processes import own_processes
from app.services.about import about, tables, vendored


def test_packages_and_files_have_a_version_and_a_licence() -> None:
    found = about()
    flask = next(one for one in found["packages"] if one["name"] == "flask")
    assert flask["version"].startswith("3.")
    assert flask["licence"]
    files = {one["file"]: one for one in found["files"]}
    assert files["uPlot.iife.min.js"]["licence"].startswith("MIT")
    assert files["dbip-country.mmdb"]["licence"].startswith("CC BY 4.0")


def test_lists_that_are_not_there_are_empty() -> None:
    assert vendored(Path("/nowhere")) == tables(Path("/nowhere")) == []


def test_children_are_found_with_their_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()", "app.store"], stdin=subprocess.PIPE)
    try:
        found = {one["pid"]: one for one in own_processes(os.getpid(), None)}
        assert found[os.getpid()]["name"] == "web"
        assert found[child.pid]["name"] == "store"
        assert found[child.pid]["rss_bytes"] > 0
    finally:
        child.communicate(b"\n")
    assert own_processes(1 << 30, None) == []
