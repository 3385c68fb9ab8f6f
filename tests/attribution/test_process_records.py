"""Records of processes: what is kept, what is hidden, where they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.attribution.other_namespaces import _endpoint
from app.attribution.process_records import ProcessReader, Users, container_of, hide_secrets, printable, read_status

ID = "0123456789ab" + "c" * 52


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("mysql --password=hunter2 -h db", "mysql --password=… -h db"),
        ("curl -H Authorization:x https://me:secret@host/p", "curl -H Authorization:x https://me:…@host/p"),
        ("tool --api-key abc123 run", "tool --api-key … run"),
        ("AUTH_TOKEN=xyz server", "AUTH_TOKEN=… server"),
        ("python -m http.server", "python -m http.server"),
        ("ls /etc/passwd", "ls /etc/passwd"),
    ],
)
def test_secrets_on_command_lines_are_hidden(command: str, shown: str) -> None:
    assert hide_secrets(command) == shown


@pytest.mark.parametrize(
    ("cgroup", "container", "unit"),
    [
        (f"0::/system.slice/docker-{ID}.scope\n", "docker 0123456789ab", None),
        (f"12:pids:/docker/{ID}\n", "docker 0123456789ab", None),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", "podman 0123456789ab", None),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", "containerd 0123456789ab", None),
        ("0::/lxc.payload.blue/init\n", "lxc blue", None),
        ("0::/system.slice/sshd.service\n", None, "sshd.service"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-1.scope\n",
            None,
            "app-firefox-1.scope",
        ),
        ("0::/\n", None, None),
    ],
)
def test_containers_and_units(cgroup: str, container: str | None, unit: str | None) -> None:
    assert container_of(cgroup) == (container, unit)


def test_names_are_made_printable() -> None:
    assert printable("a\x1b[31m\nb") == "a?[31m?b"


def test_users_come_from_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0::/root:/bin/sh\nbroken line\nann:x:1000:1000::/:\n")
    users = Users(str(file))
    assert (users.name(0), users.name(1000), users.name(77)) == ("root", "ann", "77")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_process() -> None:
    record = ProcessReader().read(os.getpid())
    assert record is not None
    assert record.complete
    assert record.path == os.readlink("/proc/self/exe")
    assert record.uid == os.getuid()
    assert record.parents[0].pid == os.getppid()
    assert record.start_ns > 0
    assert record.namespace
    assert ProcessReader().read(4_100_000) is None
    assert read_status(4_100_000) is None


def test_addresses_of_the_kernel_s_tables() -> None:
    assert _endpoint(b"0100007F:1F90") == (bytes(10) + b"\xff\xff\x7f\0\0\x01", 8080)
    assert _endpoint(b"00000000000000000000000001000000:0050") == (bytes(15) + b"\x01", 80)
