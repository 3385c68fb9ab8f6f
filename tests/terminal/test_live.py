"""On a real terminal (tmux) and on a real interface: the dialogue typed in, the screen read back, and every packet of a fast sender counted."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import netns
from bench.netns import RECEIVER_END, SENDER_END
from bench.profiles import imix
from bench.traffic import write

PROJECT = Path(__file__).parents[2]
FTP = PROJECT / "tests" / "data" / "captures" / "app-ftp-ipv4.pcap"
MISSING = [tool for tool in ("ip", "tcpreplay", "tmux") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Compiled beforehand, which may take a while on a fresh machine."""
    subprocess.run([sys.executable, "-m", "app.launcher", "warm"], cwd=PROJECT, capture_output=True, check=True)


@pytest.fixture
def pair():
    with netns.pair() as made:
        yield made


class Terminal:
    """A tmux server of its own, 100 × 40."""

    def __init__(self, namespace, width=100, height=40):
        self.name = f"netglass-test-{os.getpid()}"
        self._tmux("new-session", "-d", "-x", str(width), "-y", str(height), f"ip netns exec {namespace} env -i PATH=$PATH HOME=$HOME LANG=C.UTF-8 TERM=screen PS1=ready bash --norc")  # fmt: skip
        self._tmux("set-option", "-g", "history-limit", "5000")

    def _tmux(self, *arguments):
        command = ["tmux", "-u", "-L", self.name, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def type(self, *keys):
        self._tmux("send-keys", *keys)

    def screen(self, history=False):
        return self._tmux("capture-pane", "-p", "-J", *(["-S", "-500"] if history else []))

    def wait(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in (seen := self.screen(history=True)):
            assert time.monotonic() < end, f"{text!r} did not come:\n{seen}"
            time.sleep(0.05)
        return seen

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(pair):
    made = Terminal(pair.receiver)
    made.type(f"cd {PROJECT}", "Enter")
    yield made
    made.close()


def replay(pair, file, *rate):
    command = ["tcpreplay", "-i", SENDER_END, "--preload-pcap", *rate, str(file)]
    said = subprocess.run(pair.inside(pair.sender, command), check=True, capture_output=True, text=True).stdout
    return int(re.search(r"Successful packets:\s+(\d+)", said)[1])


def test_the_dialogue_and_a_capture(pair, terminal):
    terminal.type(f"{sys.executable} -m app monitor", "Enter")
    terminal.wait("blank = all]:")
    terminal.type("nosuch", "Enter")
    terminal.wait("nosuch is not among them")
    terminal.type(RECEIVER_END, "Enter")
    terminal.wait("Filter [1-7")
    terminal.type("7", "Enter")
    terminal.wait("Capture filter:")
    terminal.type("tcp porx", "Enter")
    terminal.wait("at column 5: porx")
    terminal.type("tcp port 21", "Enter")
    terminal.wait("Display [1-3")
    terminal.type("3", "Enter")
    terminal.wait(f"Watching {RECEIVER_END}")
    time.sleep(0.5)
    replay(pair, FTP, "-t")
    terminal.wait("] TCP")
    terminal.wait("LIVE STATS")
    terminal.type("C-c")
    seen = terminal.wait("Top connections")
    assert "FINAL STATISTICS" in seen
    assert re.search(r"Packets: +\d+", seen)
    assert "Traceback" not in seen


@pytest.mark.parametrize(
    ("preset", "mode"), [("1", "1"), ("2", "2"), ("3", "3"), ("4", ""), ("5", "1"), ("6", "1"), ("", "")]
)
def test_every_path_through_the_dialogue(pair, terminal, preset, mode):
    terminal.type(f"{sys.executable} -m app monitor; echo status=$?", "Enter")
    terminal.wait("blank = all]:")
    terminal.type(*(() if preset == "" else (RECEIVER_END,)), "Enter")
    terminal.wait("Filter [1-7")
    terminal.type(*((preset,) if preset else ()), "Enter")
    terminal.wait("Display [1-3")
    terminal.type(*((mode,) if mode else ()), "Enter")
    terminal.wait("Watching all interfaces" if preset == "" else f"Watching {RECEIVER_END}")
    terminal.type("C-c")
    assert "FINAL STATISTICS" in terminal.wait("status=0")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (f"-r {FTP} -c 3", "Packets:  3 "),
        (f"-i {RECEIVER_END} -d 0.5", "Packets:  0 "),
        (f"-r {FTP} -m minimal | head -n 2", "status=0"),
        (f"-i {RECEIVER_END} & sleep 3; kill -TERM $!; wait $!", "FINAL STATISTICS"),
    ],
)
def test_every_exit(pair, terminal, options, words):
    terminal.type(f"{sys.executable} -m app monitor {options}; echo status=$?", "Enter")
    assert words in terminal.wait("status=0")


def test_the_full_screen(pair, terminal):
    terminal.type(f"{sys.executable} -m app monitor --top -i {RECEIVER_END}", "Enter")
    terminal.wait("q quit")
    replay(pair, FTP, "-p", "20")
    seen = terminal.wait("flows · sorted by rate")
    assert "PROTO" in seen
    terminal.type("/")
    terminal.type("nothing like it")
    terminal.wait("0 of ")
    terminal.type("Escape")
    terminal.type("q")
    terminal.wait(" packets, ")
    assert "ready" in terminal.screen()


def resident_kb(process):
    """Of the monitor itself, as `ip netns exec` becomes the command it runs; without the ring, whose pages count once they were read."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1])


def test_every_packet_of_a_fast_sender_is_counted(pair, tmp_path):
    """200,000 packets a second for ten seconds: counters exact, lines limited, memory flat."""
    file = tmp_path / "mix.pcap"
    write(imix(400_000), file)
    command = [sys.executable, "-m", "app", "monitor", "-i", RECEIVER_END, "-m", "compact", "--stats-interval", "1"]
    with (tmp_path / "out").open("w+") as printed:
        process = subprocess.Popen(
            pair.inside(pair.receiver, command), cwd=PROJECT, stdout=printed, stderr=subprocess.PIPE, text=True
        )
        assert "Watching" in process.stderr.readline()
        time.sleep(0.5)
        sent = replay(pair, file, "--pps", "200000", "--loop", "2")
        early = resident_kb(process)
        sent += replay(pair, file, "--pps", "200000", "--loop", "3")
        late = resident_kb(process)
        time.sleep(1.0)
        asked = time.monotonic()
        process.terminate()
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - asked < 8
        printed.seek(0)
        out = printed.read()
    assert process.returncode == 0, err
    seen = number_after("Packets:  ", out)
    dropped = number_after("; ", out[out.index("FINAL") :]) if "packets dropped" in out[out.index("FINAL") :] else 0
    assert seen + dropped == sent == 2_000_000
    print(f"resident: {early} kB after 800,000 packets, {late} kB after 2,000,000")
    assert late - early < 16_384
    assert sum(line.startswith("[") for line in out.splitlines()) + number_after("Not seen: ", out) == seen


def number_after(words, text):
    return int(re.search(re.escape(words) + r"([\d,]+)", text)[1].replace(",", ""))


def test_json_lines_are_whole(pair):
    command = [sys.executable, "-m", "app", "monitor", "-i", RECEIVER_END, "--json", "-c", "20", "-d", "20"]
    process = subprocess.Popen(
        pair.inside(pair.receiver, command), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "Watching" in process.stderr.readline()
    time.sleep(0.5)
    replay(pair, FTP, "-t")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    packets = [json.loads(line) for line in out.splitlines()]
    assert len(packets) == 20
    assert {packet["interface"] for packet in packets} == {RECEIVER_END}
