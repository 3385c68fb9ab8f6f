"""The examples of docs/api.md do what they say: each is run against a server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fakes.web import PROJECT, Server, running_server, until

TEXT = (PROJECT / "docs" / "api.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S)
    for line in block.splitlines()
    if line.startswith("curl")
]
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("eventlet", tmp_path_factory.mktemp("examples"), "--history", "--flows", "500") as found:
        until(lambda: requests.get(f"{found.url}/api/history", timeout=30).json()["rows_written"] > 50, 40)
        yield found


def test_there_are_examples() -> None:
    assert len(COMMANDS) > 5
    assert len(PROGRAMS) == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[40:80])
def test_a_command(server: Server, command: str, tmp_path: Path) -> None:
    command = command.replace("http://127.0.0.1:8080", server.url).replace("curl ", "curl --fail-with-body ", 1)
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    written = list(tmp_path.iterdir())
    assert done.stdout or written[0].stat().st_size


@pytest.mark.parametrize("program", PROGRAMS, ids=["history", "live"])
def test_a_program(server: Server, program: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(program.replace("http://127.0.0.1:8080", server.url))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1
