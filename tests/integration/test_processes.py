"""The real broker and the real sensor under a web end of the test's: rights, deaths, ends."""

import os
import queue
import signal
import sys
import time

import pytest

from tests import compiled_kernels
from tests.integration import process_tree
from tests.integration.process_tree import (
    KERNELS_SECONDS,
    NEEDED,
    PATIENCE,
    USER,
    alive,
    needs_root,
    read_status,
    runs_as,
    wait_until,
)

pytestmark = NEEDED
# The fixtures
place = process_tree.place
user_python = process_tree.user_python
run = process_tree.run
as_user = process_tree.as_user
tree = process_tree.tree


@pytest.mark.root
@needs_root
def test_rights_when_started_through_sudo(as_user):
    launched = as_user.start()
    assert launched["uid"] == launched["started_by"] == USER
    assert launched["warning"] is None
    kept = 1 << 13 | 1 << 19 | 1 << 2  # NET_RAW, SYS_PTRACE, DAC_READ_SEARCH
    none = ["0" * 16]
    for pid, allowed in ((as_user.broker, kept), (as_user.sensor, 0), (as_user.pid, 0)):
        status = read_status(pid)
        assert status["Uid"] == status["Gid"] == [str(USER)] * 4
        assert status["Groups"] == []
        assert int(status["CapPrm"][0], 16) & ~allowed == 0
        assert int(status["CapEff"][0], 16) & ~allowed == 0
        assert status["CapInh"] == status["CapAmb"] == status["CapBnd"] == none
        assert status["NoNewPrivs"] == ["1"]
    assert int(launched["capabilities"], 16) == int(read_status(as_user.broker)["CapEff"][0], 16)


@pytest.mark.root
@needs_root
def test_no_thread_of_the_sensor_has_rights(as_user):
    as_user.start()
    as_user.wait("message", KERNELS_SECONDS, type="snapshot")
    for task in os.listdir(f"/proc/{as_user.sensor}/task"):
        status = read_status(f"{as_user.sensor}/task/{task}")
        assert status["CapEff"] == status["CapPrm"] == ["0" * 16]
        assert status["NoNewPrivs"] == ["1"]


@pytest.mark.root
@needs_root
def test_started_by_root_itself(run):
    tree = run(RUN_AS="")
    launched = tree.wait("launched")
    if launched["uid"] != 0:
        pytest.skip("the project directory belongs to an ordinary user, who is taken")
    assert "root itself" in launched["warning"]
    tree.wait("link")
    sensor = tree.wait("message", type="hello")["pid"]
    for pid in (sensor, tree.pid):
        status = read_status(pid)
        assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == ["0" * 16]
        assert status["NoNewPrivs"] == ["1"]


@pytest.mark.root
@needs_root
def test_a_user_that_cannot_read_the_program_is_refused(place, run):
    if runs_as(sys.executable, USER):
        pytest.skip("every user can run this interpreter")
    tree = run(SUDO_UID=str(USER), SUDO_GID=str(USER))
    assert tree.process.wait(PATIENCE) == 1
    assert "cannot read" in "".join(tree.errors)


@pytest.mark.root
@needs_root
def test_an_unknown_run_as_is_refused(run):
    tree = run(RUN_AS="no-such-user")
    assert tree.process.wait(PATIENCE) == 1
    assert "no-such-user" in "".join(tree.errors)


@pytest.fixture
def own_place(place):
    """Directories of the ordinary user's."""
    directory = place / "own"
    directory.mkdir(exist_ok=True)
    compiled_kernels.give(directory / "data", USER)
    for path in (directory, directory / "data", directory / "data" / "cache"):
        os.chown(path, USER, USER)
    return directory


@pytest.mark.root
@needs_root
def test_without_rights_it_says_how_to_get_them(run, user_python, own_place):
    tree = run(
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", user_python,
        DATA_DIR=str(own_place / "data"), EXPORT_DIR=str(own_place / "exports"),
    )  # fmt: skip
    launched = tree.start()
    assert not launched["can_capture"]
    assert "sudo make run" in launched["why_not"]
    assert int(launched["capabilities"], 16) == 0
    tree.send(type="start", id=1, interfaces=["lo"])
    error = tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["error"]
    assert error["code"] == "not_permitted"
    assert "sudo make run" in error["message"]
    tree.send(type="start", id=2, interfaces=["lo"], bpf_filter="tcp prot 80")
    assert tree.wait("message", type="reply", id=2)["error"]["code"] == "bad_filter"
    capture = tree.wait("message", KERNELS_SECONDS, type="snapshot")["capture"]
    assert capture["can_capture"] is False
    assert "sudo make run" in capture["why_not"]


@pytest.mark.root
@needs_root
def test_kernel_cache_that_is_not_the_users_is_refused(run, user_python, place):
    data = place / "foreign"
    (data / "cache").mkdir(parents=True)
    (data / "cache" / f"kernels-{USER}").symlink_to("/tmp")
    tree = run(user_python, SUDO_UID=str(USER), SUDO_GID=str(USER), DATA_DIR=str(data))
    assert tree.process.wait(PATIENCE) == 1
    assert f"kernels-{USER}" in "".join(tree.errors)


def test_killed_sensor_is_started_again(tree):
    begun = time.monotonic()
    os.kill(tree.sensor, signal.SIGKILL)
    tree.wait("gone")
    assert tree.wait("link")["restart"] == 1
    second = tree.wait("message", type="hello")["pid"]
    assert second != tree.sensor
    assert time.monotonic() - begun < 20
    os.kill(second, signal.SIGKILL)
    assert "signal 9 (SIGKILL)" in tree.wait("gone")["why"]


def test_a_sensor_that_dies_too_often_is_given_up(tree):
    for _ in range(6):
        os.kill(tree.sensor, signal.SIGKILL)
        found = next(iter(wait_for_any(tree, ("hello", "ended"), PATIENCE)))
        if found["event"] == "ended":
            break
        tree.sensor = found["pid"]
    assert found["event"] == "ended"
    assert "not started again" in found["why"], "".join(tree.errors)
    assert "SIGKILL" in found["why"]


def wait_for_any(tree, kinds, seconds):
    """The next event, or message of a type, among `kinds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = tree.events.get(timeout=0.5)
        except queue.Empty:
            continue
        if found["event"] in kinds or (found["event"] == "message" and found["type"] in kinds):
            yield found
            return
    pytest.fail(f"none of {kinds} within {seconds} s")


def test_killed_web_process_takes_the_others_with_it(tree):
    tree.process.kill()
    assert wait_until(lambda: not alive(tree.sensor) and not alive(tree.broker), PATIENCE)


def test_killed_broker_takes_the_sensor_with_it(tree):
    os.kill(tree.broker, signal.SIGKILL)
    assert wait_until(lambda: not alive(tree.sensor), PATIENCE)
    assert "broker" in tree.wait("ended")["why"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_all_three(tree, number):
    tree.process.send_signal(number)
    assert tree.process.wait(PATIENCE) == 0
    assert tree.wait("finished")["clean"]
    assert not alive(tree.sensor)
    assert not alive(tree.broker)


def test_signals_end_all_three_while_kernels_compile(run, place):
    tree = run(DATA_DIR=str(place / "cold"))
    tree.start()
    tree.process.send_signal(signal.SIGTERM)
    assert tree.process.wait(PATIENCE) == 0
    assert not alive(tree.sensor)


def test_children_leave_a_terminals_interrupt_to_the_web_process(tree):
    os.kill(tree.sensor, signal.SIGINT)
    os.kill(tree.broker, signal.SIGINT)
    time.sleep(0.3)
    assert alive(tree.sensor)
    assert alive(tree.broker)


def test_stopped_sensor_does_not_delay_the_end(tree):
    # A sensor that hangs is killed by the broker
    os.kill(tree.sensor, signal.SIGSTOP)
    tree.process.terminate()
    assert tree.process.wait(PATIENCE) == 0
    assert wait_until(lambda: not alive(tree.sensor), 1)


def test_commands_of_wrong_shape_are_refused(tree):
    tree.send(type="packets", id="x" * 10)  # no number, no answer
    tree.send(type="no such command", id=1)
    tree.send(type="packets", id=2, limit="many")
    error = tree.wait("message", KERNELS_SECONDS, type="reply", id=2)["error"]
    assert error["code"] == "bad_command"
    assert "limit" in error["message"]


@pytest.mark.root
@needs_root
def test_refusals_carry_the_words_of_kernel_and_libpcap(tree):
    tree.send(type="start", id=1, interfaces=["nosuch0"])
    error = tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["error"]
    assert error["code"] == "no_such_interface"
    assert "No such device" in error["message"]
    tree.send(type="start", id=2, interfaces=["lo"], bpf_filter="tcp prot 80")
    error = tree.wait("message", type="reply", id=2)["error"]
    assert error["code"] == "bad_filter"
    assert "syntax error" in error["message"]
