"""What a packet looks like in the terminal, against tshark's reading of the same file and against what must never reach a terminal."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.terminal.packet_lines import compact, detailed, minimal
from app.terminal.packet_words import clock, flag_letters, service_at
from app.terminal.palette import Palette, printable

PROJECT = Path(__file__).parents[2]
CAPTURES = PROJECT / "tests" / "data" / "captures"
PLAIN = Palette(False)
LINE = re.compile(
    r"\[(?P<time>[\d:.]{12})\] (?P<label>\S+) +(?P<src>\S+) +→ (?P<dst>\S+) +\| +"
    r"(?:(?P<sport>\d+)(?:\([^)]*\))? → (?P<dport>\d+)(?:\([^)]*\))?(?: \[(?P<flags>[A-Z]*)\])?|.*?) \| (?P<size>\d+) bytes$"
)


def row(**fields):
    made = dict.fromkeys(
        [
            "packet_id",
            "flow_id",
            "ts",
            "src_hi",
            "src_lo",
            "dst_hi",
            "dst_lo",
            "src_port",
            "dst_port",
            "tcp_flags",
            "reason",
            "wire_len",
            "cap_len",
            "payload_len",
            "seq",
            "ack",
            "layers",
            "window",
            "vlan",
            "interface",
            "ether_type",
            "payload_kept",
            "kind",
            "arp_operation",
        ],
        0,
    )
    made.update(protocol=6, ip_version=4, payload=bytes(64), **fields)
    return made


TCP = row(
    src_lo=0xFFFFC0A80164, dst_lo=0xFFFFACD90ECE, src_port=5432, dst_port=443, tcp_flags=24, wire_len=1420, seq=7, ack=9, window=501
)  # fmt: skip


def test_the_compact_line_is_the_one_users_know():
    text = compact(TCP, PLAIN)
    head, _, rest = text.partition("]")
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\.000", head)
    assert rest == " TCP      192.168.1.100   → 172.217.14.206  |  5432 → 443(HTTPS) [PA] | 1420 bytes"


def test_the_minimal_line():
    assert minimal(TCP, PLAIN).endswith("] TCP      192.168.1.100 → 172.217.14.206")


def test_colours_by_protocol_and_part():
    text = compact(TCP, Palette(True))
    assert "\x1b[32mTCP     \x1b[0m" in text
    assert "\x1b[31m[PA]\x1b[0m" in text
    assert "\x1b[33m443(HTTPS)\x1b[0m" in text
    assert text.startswith("\x1b[36m[")
    assert "\x1b[94mUDP" in compact({**TCP, "protocol": 17}, Palette(True))


def test_ipv6_fits():
    six = {**TCP, "ip_version": 6, "src_hi": 0x20010DB8 << 32, "src_lo": 1, "dst_hi": 0xFE80 << 48, "dst_lo": 0xFFFF}
    assert " 2001:db8::1     → fe80::ffff      | " in compact(six, PLAIN)


def test_the_service_is_that_of_the_well_known_port():
    assert service_at("tcp", 443, 5432) == ("HTTPS", False)
    assert service_at("tcp", 51000, 22) == ("SSH", True)
    assert service_at("tcp", 51001, 51002) == (None, True)


def test_the_answer_names_the_source_port():
    assert " 443(HTTPS) → 51000 " in compact({**TCP, "src_port": 443, "dst_port": 51000}, PLAIN)


def test_detailed_shows_numbers_bytes_and_fields():
    payload = b"GET / HTTP/1.1\r\nHost: a\x1b[2J"
    packet = {**TCP, "payload_len": len(payload), "payload_kept": len(payload), "payload": payload.ljust(64, b"\0")}
    tree = [
        {
            "label": "IPv4",
            "fields": [{"label": "Options", "value": "\x1b]0;x\x07", "fields": [{"label": "a", "value": 1}]}],
        }
    ]
    lines = detailed(packet, tree, PLAIN)
    assert lines[1] == f"    seq 7  ack 9  window 501  payload {len(payload)} bytes"
    assert lines[2] == "    0000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1.."
    assert lines[-3:] == ["    IPv4", "      Options: ·]0;x·", "        a: 1"]
    assert "\x1b" not in "\n".join(lines)


def test_text_that_a_terminal_would_act_on():
    assert printable("a\x1b[31mb\u202ec\n") == "a·[31mb·c·"


def test_impossible_times():
    assert clock(-1).endswith(":59.999")
    assert clock(1 << 100) == "--:--:--.---"


def test_flag_letters():
    assert [flag_letters(bits) for bits in (2, 18, 0, 255)] == ["S", "SA", "", "FSRPAUEC"]


FIELDS = ("frame.time_epoch", "frame.len", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.flags")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", ["app-ftp-ipv4.pcap", "app-smtp.pcap"])
def test_each_mode_against_tshark(name):
    file = CAPTURES / name
    options = [part for field in FIELDS for part in ("-e", field)]
    said = subprocess.run(["tshark", "-r", file, "-T", "fields", *options], capture_output=True, text=True, check=True)
    truth = [line.split("\t") for line in said.stdout.splitlines()]
    shown = monitor("-r", file).stdout.splitlines()
    lines = shown[: shown.index("")]
    assert len(lines) == len(truth)
    for line, (_, size, src, dst, sport, dport, flags) in zip(lines, truth, strict=True):
        found = LINE.fullmatch(line)
        assert found, line
        assert found["size"] == size
        if src and sport and "," not in src:  # else an ICMP error that quotes another packet
            assert (found["src"], found["dst"], found["sport"], found["dport"]) == (src, dst, sport, dport)
            assert found["flags"] == flag_letters(int(flags, 16) & 255)
    short = monitor("-r", file, "-m", "minimal").stdout.splitlines()
    for line, (_, _, src, dst, *_) in zip(short, truth, strict=False):
        assert not src or "," in src or line.endswith(f" {src} → {dst}")
    objects = [json.loads(line) for line in monitor("-r", file, "--json").stdout.splitlines()]
    assert [str(one["size"]) for one in objects] == [row[1] for row in truth]
    assert [one["id"] for one in objects] == list(range(1, len(truth) + 1))


DETAIL = re.compile(r"    seq (\d+)  ack (\d+)  window (\d+)  payload (\d+) bytes")
DETAIL_FIELDS = ("tcp.seq_raw", "tcp.ack_raw", "tcp.window_size_value", "tcp.len", "tcp.payload")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_the_detailed_mode_against_tshark():
    file = CAPTURES / "app-ftp-ipv4.pcap"
    options = [part for field in DETAIL_FIELDS for part in ("-e", field)]
    said = subprocess.run(["tshark", "-r", file, "-T", "fields", *options], capture_output=True, text=True, check=True)
    truth = [line.split("\t") for line in said.stdout.splitlines()]
    text = monitor("-r", file, "-m", "detailed").stdout
    packets = re.split(r"^(?=\[\d\d:)", text[: text.index("FINAL STATISTICS")], flags=re.MULTILINE)[1:]
    assert len(packets) == len(truth)
    for packet, (sequence, acknowledged, window, length, payload) in zip(packets, truth, strict=True):
        numbers = DETAIL.search(packet)
        assert numbers, packet
        assert numbers.groups() == (sequence, acknowledged, window, length)
        shown = "".join(re.findall(r"^    [0-9a-f]{4}  ((?:[0-9a-f]{2} ?){1,16}) ", packet, re.MULTILINE)).replace(
            " ", ""
        )
        assert shown == payload.replace(":", "")[:128]
        assert "\n    Ethernet\n" in packet
        assert "\n    TCP\n" in packet


def monitor(*arguments, **options):
    command = [sys.executable, "-m", "app", "monitor", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, **options)
