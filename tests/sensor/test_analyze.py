"""`python -m app analyze` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "tests" / "data" / "captures"


def run(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "app", "analyze", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )


def lines(result: subprocess.CompletedProcess) -> list[dict]:
    assert b"Traceback" not in result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


KEYS = {"capture", "protocols", "flows", "dns", "tls", "http", "alerts", "cards", "coverage"}
FLOW_KEYS = {
    "flow_id", "community_id", "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "vlan", "start", "end", "src_packets", "dst_packets",
    "src_bytes", "dst_bytes", "tcp_flags", "state", "app", "category", "server_name", "ja4", "entropy_src", "entropy_dst", "rtt_ms", "retransmissions",
}  # fmt: skip


ALIVE = """
import sys, weakref
from app import __main__, kernel_cache
from app.sensor import analyze
kernel_cache.use()
made = []
class Watched(analyze.Pipeline):
    def __init__(self, *args, **kwargs):
        print(sum(one() is not None for one in made), file=sys.stderr)
        made.append(weakref.ref(self))
        super().__init__(*args, **kwargs)
analyze.Pipeline = Watched
sys.exit(__main__.main(["analyze", "--json", *sys.argv[1:]]))
"""


def test_nothing_of_earlier_files_is_held():
    names = [str(CAPTURES / "app-ftp-ipv4.pcap")] * 4
    done = subprocess.run([sys.executable, "-c", ALIVE, *names], cwd=ROOT, capture_output=True, timeout=120, check=True)
    assert done.stderr.split() == [b"0"] * 4
    assert len(done.stdout.splitlines()) == 4


def test_one_document_a_line_in_the_order_given():
    names = ["app-ftp-ipv4.pcap", "fmt-pcapng-le-001.pcapng"]
    result = run("--json", *(str(CAPTURES / name) for name in names))
    documents = lines(result)
    assert result.returncode == 0
    assert [Path(d["capture"]["file"]).name for d in documents] == names
    for document in documents:
        assert set(document) == KEYS
        assert all(set(flow) >= FLOW_KEYS for flow in document["flows"])
    flow = documents[0]["flows"][0]
    assert (flow["dst_port"], flow["state"], flow["src_packets"], flow["dst_bytes"]) == (21, "SF", 38, 4808)


@pytest.mark.parametrize("content", [b"", b"just some text, no capture\n" * 20], ids=["empty", "text"])
def test_a_file_that_is_no_capture(tmp_path, content):
    path = tmp_path / "odd.pcap"
    path.write_bytes(content)
    result = run("--json", str(path), str(CAPTURES / "app-bgp.pcap"))
    bad, good = lines(result)
    assert result.returncode == 1
    assert set(bad["capture"]) == {"file", "error"}
    assert "odd.pcap" in bad["capture"]["error"]
    assert good["capture"]["packets"] == 91


def test_a_missing_file_is_named(tmp_path):
    result = run(str(tmp_path / "nowhere.pcap"))
    assert result.returncode == 1
    assert b"nowhere.pcap" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_cut_file_gives_what_could_be_read(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes((CAPTURES / "app-bgp.pcap").read_bytes()[:-7])
    result = run("--json", str(path))
    (document,) = lines(result)
    assert result.returncode == 0
    assert (document["capture"]["truncated"], document["capture"]["packets"]) == (True, 90)


def test_standard_input():
    result = run("--json", "-", stdin=(CAPTURES / "app-bgp.pcap").read_bytes())
    assert lines(result)[0]["capture"]["packets"] == 91


def test_the_summary_is_for_people():
    result = run(str(CAPTURES / "app-ftp-ipv4.pcap"))
    text = result.stdout.decode()
    assert result.returncode == 0
    assert "95 packets" in text
    assert "141.142.220.235" in text
    assert "95 of 95 packets decoded" in text


def test_a_closed_pipe_ends_it_quietly():
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "analyze", "--json", *[str(CAPTURES / "app-ftp-ipv4.pcap")] * 40],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert b"Traceback" not in stderr


def test_no_file_is_wrong_usage():
    assert run().returncode == 2
