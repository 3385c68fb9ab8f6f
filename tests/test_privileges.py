"""Rights given up by real processes, as `/proc/<pid>/status` shows them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
NOBODY = 65534

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="capabilities are Linux's")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up rights")


def run(code):
    """Run code in a fresh interpreter; its standard output."""
    done = subprocess.run(
        [sys.executable, "-c", f"from app import privileges as p\nimport os, socket, subprocess\n{code}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHOW = (
    "r = p.report(); print(r.uids, r.gids, r.groups, r.permitted, r.effective, r.bounding, r.ambient, r.no_new_privs)"
)


@pytest.mark.root
@needs_root
def test_drop_to_a_user_leaves_nothing():
    assert run(f"p.drop_to({NOBODY}, {NOBODY}); {SHOW}") == f"{(NOBODY,) * 4} {(NOBODY,) * 4} () 0 0 0 0 True"


@pytest.mark.root
@needs_root
def test_drop_keeps_exactly_what_was_asked_for():
    out = run(f"p.drop_to({NOBODY}, {NOBODY}, keep=[p.CAP_NET_RAW, p.CAP_SYS_PTRACE]); {SHOW}")
    kept = 1 << 13 | 1 << 19
    assert out == f"{(NOBODY,) * 4} {(NOBODY,) * 4} () {kept} {kept} 0 0 True"


@pytest.mark.root
@needs_root
def test_what_was_kept_works_and_nothing_else():
    out = run(
        f"p.drop_to({NOBODY}, {NOBODY}, keep=[p.CAP_NET_RAW])\n"
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()\n"
        "try: os.setuid(0)\n"
        "except PermissionError: print('no way back')\n"
        "try: os.chown('/etc/passwd', 1, 1)\n"
        "except PermissionError: print('no file owner')"
    )
    assert out == "no way back\nno file owner"


@pytest.mark.root
@needs_root
def test_uid_0_without_power():
    out = run(
        f"p.drop_to(0, 0); {SHOW}\n"
        "print(subprocess.run(['grep', 'CapEff', '/proc/self/status'], capture_output=True, text=True).stdout.split()[1])"
    )
    assert out == "(0, 0, 0, 0) (0, 0, 0, 0) () 0 0 0 0 True\n0000000000000000"


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("uid", [0, NOBODY])
def test_dropping_twice_is_the_same_as_once(uid):
    assert run(f"p.drop_to({uid}, {uid}); p.drop_to({uid}, {uid}); p.seal(); {SHOW}").endswith("() 0 0 0 0 True")


@pytest.mark.root
@needs_root
def test_a_child_of_a_process_with_kept_rights_has_none():
    out = run(
        f"p.drop_to({NOBODY}, {NOBODY}, keep=[p.CAP_NET_RAW])\n"
        "s = subprocess.run(['/bin/cat', '/proc/self/status'], capture_output=True, text=True).stdout\n"
        "print([line.split()[1] for line in s.splitlines() if line.startswith(('CapPrm', 'CapEff', 'CapBnd', 'NoNew'))])"
    )
    zero = "0" * 16
    assert out == str([zero, zero, zero, "1"])


def test_seal_and_its_proof():
    code = "p.seal(); r = p.report(); print(r.permitted, r.effective, r.no_new_privs)"
    assert run(code) == "0 0 True"


@pytest.mark.root
@needs_root
def test_verify_refuses_what_was_not_dropped():
    code = "\ntry: p.verify(0)\nexcept p.PrivilegeError as e: print(e)\ntry: p.verify(1)\nexcept p.PrivilegeError as e: print(e)"
    out = run(code)
    assert "still has capabilities" in out
    assert "has the users" in out


@pytest.mark.root
@needs_root
def test_verify_looks_at_every_thread():
    # capset acts on one thread only; a thread started before keeps its rights and must be found
    out = run(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(2,), daemon=True).start()\n"
        "try: p.drop_to(0, 0)\n"
        "except p.PrivilegeError as e: print(e)"
    )
    assert "still has capabilities" in out


def test_die_with_parent_that_is_gone():
    code = "import signal\ntry: p.die_with_parent(1 if os.getppid() != 1 else 2, signal.SIGTERM)\nexcept p.PrivilegeError as e: print(e)"
    assert run(code) == "the process that started this one has ended"


def test_not_dumpable_after_seal():
    code = "import ctypes; p.seal(); print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    assert run(code) == "0"


def test_unused_mask_bits():
    out = run("print(p.mask([13, 13, 2]))")
    assert out == str(1 << 13 | 1 << 2)
