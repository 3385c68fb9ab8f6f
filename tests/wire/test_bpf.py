"""The classic BPF machine: libpcap's filters over captures as tcpdump has them, and random programs."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.capture.bpf_compile import compile_dead
from app.capture.pcap_file import open_file
from app.model.errors import CaptureError
from app.native.loader import kernel
from app.wire import bpf, bpf_kernels
from tests.capture.capture_bytes import pcap
from tests.wire.plain_kernels import Checked, plain

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
CODES = sorted(bpf._CODES)


def count(path: Path, text: str) -> int:
    source = open_file(path, bpf=text)
    while not source.finished:
        source.read()
    source.close()
    statistics = source.statistics()
    assert statistics.packets + statistics.filtered > 0
    return statistics.packets


FILTERS = [
    "tcp",
    "udp or icmp",
    "ip6",
    "vlan",
    "vlan and tcp",
    "vlan and vlan",
    "port 179",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "greater 200",
    "len <= 100",
    "ip[6:2] & 0x1fff = 0 and ip[8] < 255",
    "ether[0] & 1 = 0 and not broadcast",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] != 0",
    "src net 192.168.0.0/16 or dst net 10.0.0.0/8",
    "portrange 1-1023",
    "ether proto 0x88a8 or mpls",
    "tcp[2:2] * 2 / 3 - 5 > 100",
]


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
@pytest.mark.parametrize("text", FILTERS)
@pytest.mark.parametrize(
    "name",
    [
        "app-bgp.pcap",
        "encap-vlan.pcap",
        "encap-qinq.pcap",
        "fmt-pcap-nanosecond.pcap",
        "fmt-snaplen-quic-truncated.pcap",
    ],
)
def test_filters_select_what_tcpdump_selects(name: str, text: str) -> None:
    path = CAPTURES / name
    shown = subprocess.run(["tcpdump", "-r", path, "-n", "-w", "-", text], capture_output=True, check=False)
    if shown.returncode:
        pytest.skip(f"tcpdump refuses it: {shown.stderr.decode().splitlines()[-1]}")
    counted = subprocess.run(["tcpdump", "-r", "-", "-n", "-q"], input=shown.stdout, capture_output=True, check=True)
    lines = [line for line in counted.stdout.decode().splitlines() if line[:1].isdigit()]
    assert count(path, text) == len(lines)


@pytest.mark.parametrize(
    ("text", "packets"),
    [("tcp", 79), ("udp", 0), ("port 179", 79), ("tcp[13] & 2 != 0", 10), ("less 60", 14), ("greater 66", 77)],
)
def test_filters_over_bgp(text: str, packets: int) -> None:
    assert count(CAPTURES / "app-bgp.pcap", text) == packets


def test_each_link_type_of_a_file_has_its_own_program() -> None:
    path = CAPTURES / "fmt-pcapng-le-006-mixed-link.pcapng"
    source = open_file(path)
    while not source.finished:
        source.read()
    source.close()
    assert len({one.link_type for one in source.interfaces}) > 1
    assert count(path, "ip or ip6 or not ip") == source.statistics().packets


def test_a_filter_that_is_none_is_refused_in_libpcaps_words() -> None:
    for text, words in (
        ("tcp prot 80", "syntax error"),
        ("port nosuchport", "nosuchport"),
        ("a\0b", "NUL"),
        ("x" * 10_000, "8192"),
    ):
        with pytest.raises(CaptureError) as refused:
            open_file(CAPTURES / "app-bgp.pcap", bpf=text)
        assert refused.value.code == "bad_filter"
        assert words in refused.value.message


def test_a_ready_program_is_checked() -> None:
    with pytest.raises(CaptureError, match="leaves the program"):
        open_file(CAPTURES / "app-bgp.pcap", bpf=[(0x05, 0, 0, 7)])
    source = open_file(CAPTURES / "app-bgp.pcap", bpf=[(0x06, 0, 0, 1)])
    assert source.read() is not None
    source.close()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ([], "1 to 4096 instructions"),
        ([(0x06, 0, 0, 0)] * 4097, "1 to 4096 instructions"),
        ([(0xFF, 0, 0, 0)], "unknown code"),
        ([(0x00, 0, 0, 0)], "leaves the program"),
        ([(0x15, 1, 0, 0), (0x06, 0, 0, 0)], "leaves the program"),
        ([(0x05, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0)], "leaves the program"),
        ([(0x60, 0, 0, 16), (0x06, 0, 0, 0)], "memory word 16"),
        ([(0x02, 0, 0, 16), (0x06, 0, 0, 0)], "memory word 16"),
        ([(0x34, 0, 0, 0), (0x06, 0, 0, 0)], "divides by zero"),
        ([(0x06, 0, 0, -1)], "out of range"),
        ([(0x06, 0, 256, 0)], "out of range"),
    ],
)
def test_programs_that_may_not_run(program: list[tuple[int, int, int, int]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bpf.Filter(program)


@pytest.mark.parametrize(
    ("program", "frame", "matches"),
    [
        ([(0x20, 0, 0, 0), (0x15, 0, 1, 0x01020304), (0x06, 0, 0, 1), (0x06, 0, 0, 0)], b"\1\2\3\4", True),
        ([(0x20, 0, 0, 1), (0x06, 0, 0, 1)], b"\1\2\3\4", False),  # a load over the end
        ([(0x28, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 1)], b"\1\2\3\4", False),
        ([(0x01, 0, 0, 0xFFFFFFFF), (0x50, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 1)], b"\1\2\3\4", False),
        ([(0x80, 0, 0, 0), (0x15, 0, 1, 99), (0x06, 0, 0, 1), (0x06, 0, 0, 0)], b"\1", True),
        ([(0xB1, 0, 0, 0), (0x87, 0, 0, 0), (0x15, 0, 1, 60), (0x06, 0, 0, 1), (0x06, 0, 0, 0)], b"\x4f", True),
        ([(0x00, 0, 0, 5), (0x3C, 0, 0, 0), (0x06, 0, 0, 1)], b"", False),  # by X, which is 0
        ([(0x00, 0, 0, 1), (0x84, 0, 0, 0), (0x15, 0, 1, 0xFFFFFFFF), (0x06, 0, 0, 1), (0x06, 0, 0, 0)], b"", True),
        ([(0x00, 0, 0, 0xFFFFFFFF), (0x24, 0, 0, 0xFFFFFFFF), (0x16, 0, 0, 0)], b"", True),
        ([(0x00, 0, 0, 1), (0x64, 0, 0, 32), (0x16, 0, 0, 0)], b"", False),
    ],
)
def test_single_steps(program: list[tuple[int, int, int, int]], frame: bytes, matches: bool) -> None:
    assert bpf.Filter(program).matches(frame, 99) is matches


@pytest.fixture(scope="module")
def checked() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield plain(bpf_kernels, patch)


SMALL = st.sampled_from((0, 1, 2, 4, 12, 14, 31, 32, 0xFFFFFFFF)) | st.integers(0, 2**32 - 1)
INSTRUCTION = st.tuples(st.sampled_from(CODES) | st.integers(0, 65535), st.integers(0, 6), st.integers(0, 6), SMALL)


@settings(max_examples=1000, deadline=None)
@given(
    body=st.lists(INSTRUCTION, max_size=20),
    frame=st.binary(max_size=40),
    before=st.integers(0, 8),
    wire_len=st.integers(0, 2**32 - 1),
)
def test_random_programs_end_and_read_nothing_outside(
    checked: Any, body: list[tuple[int, int, int, int]], frame: bytes, before: int, wire_len: int
) -> None:
    program = [*body, *[(0x16, 0, 0, 0)] * 7]
    if bpf.problem(program):
        program = [i for i in program if i[0] in bpf._CODES and not bpf.problem([i, *[(0x16, 0, 0, 0)] * 7])]
    assert bpf.problem(program) is None
    data = np.frombuffer(bytes(before) + frame + b"\xaa" * 3, np.uint8).copy()
    code = np.array(program, np.int64)
    fast = kernel("run_filter")(data, before, len(frame), wire_len, code, np.zeros(16, np.int64))
    frame_only = Checked(data[: before + len(frame)])
    assert fast == checked.run(frame_only, before, len(frame), wire_len, code, np.zeros(16, np.int64))
    assert 0 <= fast <= 0xFFFFFFFF


@pytest.mark.parametrize("big", [False, True])
def test_loopback_files_of_every_system_and_byte_order(big: bool) -> None:
    families = (2, 24, 28, 30)  # AF_INET, then AF_INET6 of NetBSD, FreeBSD and Darwin
    frames = [family.to_bytes(4, "big" if big else "little") + bytes(40) for family in families]
    raw = pcap([(0, frame, len(frame)) for frame in frames], big=big, link=0)
    for text, packets in (("ip", 1), ("ip6", 3), ("udp", 0)):
        source = open_file(io.BytesIO(raw), bpf=text)
        source.read()
        assert source.statistics().packets == packets


def test_frames_of_other_link_types_are_left_alone() -> None:
    assert compile_dead("tcp", 101) != compile_dead("tcp", 1)
    assert compile_dead("tcp", 1, 96)[-2] == (0x06, 0, 0, 96)
