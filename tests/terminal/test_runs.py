"""The command as a user types it: what it refuses, how it ends, what it says at the end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CAPTURES = PROJECT / "tests" / "data" / "captures"
FTP = CAPTURES / "app-ftp-ipv4.pcap"


def monitor(*arguments, **options):
    command = [sys.executable, "-m", "app", "monitor", *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": 120, "stdin": subprocess.DEVNULL, **options}
    return subprocess.run(command, cwd=PROJECT, **options)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["-r", "nothing.pcap"], 1, "nothing.pcap: there is no such file"),
        (["-r", __file__], 1, "pcap and pcapng are allowed"),
        (["-r", FTP, "-f", "tcp porx"], 1, "syntax error (at column 5: porx)"),
        (["-r", FTP, "-i", "lo"], 2, "one of them"),
        (["-i", "lo", "-f", "tcp", "--preset", "dns"], 2, "one of them"),
        (["-i", "lo,any"], 2, "any alone"),
        (["-i", "lo", "--top"], 2, "--top needs a terminal"),
        (["-c", "0"], 2, "whole number above 0"),
        (["-m", "loud"], 2, "invalid choice"),
    ],
)
def test_what_it_refuses(arguments, status, words):
    done = monitor(*arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="without rights the words are about them")
def test_an_unknown_interface_lists_the_others():
    done = monitor("-i", "nosuch0")
    assert done.returncode == 1
    assert "nosuch0" in done.stderr
    assert " lo" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_without_rights_it_says_how_to_get_them():
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    done = subprocess.run(
        [*command, "-B", "-m", "app", "monitor", "-i", "lo"], cwd=PROJECT, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if "Permission denied" in done.stderr and "setcap" not in done.stderr:
        pytest.skip("another user cannot read the program here")
    assert done.returncode == 1
    assert "sudo" in done.stderr
    assert "setcap cap_net_raw" in done.stderr


def test_the_count_is_exact_and_the_end_says_what_there_was():
    done = monitor("-r", FTP, "-c", 7)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert sum(line.startswith("[") for line in lines) == 7
    assert "Packets:  7 (" in done.stdout
    for title in ("Protocols", "Top IPs", "Top ports", "Top connections"):
        assert title in lines
    assert "100.0 %" in done.stdout
    assert "  21/tcp  FTP" in done.stdout


def test_a_filter_for_a_file():
    assert "Packets:  0" in monitor("-r", FTP, "--preset", "dns").stdout


def test_a_closed_pipe_ends_it_quietly():
    done = subprocess.run(
        f"{sys.executable} -m app monitor -r {FTP} -m detailed | head -n 1; exit ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        done = monitor("-r", FTP, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert "writing failed: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_with_the_statistics(number, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "app", "monitor", "-r", str(pipe)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with open(pipe, "wb") as writer:
        writer.write(FTP.read_bytes())
        writer.flush()
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert first.startswith("[")
    assert "FINAL STATISTICS" in out
    assert "Traceback" not in err
