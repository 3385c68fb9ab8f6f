"""Live capture in a network namespace of its own: every packet sent is captured or counted as dropped, and as it was sent."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.web import until
from tests.integration import capture_namespace
from tests.integration.capture_namespace import (
    CAPTURES,
    NEEDED,
    VLAN_FILES,
    Collector,
    entered,
    frames_in,
    inside,
    make_link,
    open_source,
    packet_socket,
    replay,
    sent_frames,
)
from tests.integration.replayed import recorded

pytestmark = NEEDED
namespace = capture_namespace.namespace  # the fixture


def test_frames_arrive_as_they_were_sent_with_their_tags(namespace: str) -> None:
    source = entered(namespace, lambda: open_source(["vb"]))
    try:
        collector = Collector(source)
        sent = replay(namespace, *VLAN_FILES)
        collector.until(sent)
        assert collector.frames() == sent_frames(VLAN_FILES)
        statistics = source.statistics()
        assert (statistics.packets, statistics.kernel_drops) == (sent, 0)
    finally:
        source.close()


def test_every_packet_is_captured_or_counted_as_dropped(namespace: str) -> None:
    source = entered(namespace, lambda: open_source(["vb"], ring_bytes=1 << 20))
    try:
        collector = Collector(source)
        first = replay(
            namespace, CAPTURES / "app-bgp.pcap", loop=500
        )  # nobody reads meanwhile: far more than the ring holds
        collector.take()
        second = replay(namespace, CAPTURES / "app-bgp.pcap", loop=2)
        until(lambda: collector.take() or collector.writer.written + source.statistics().kernel_drops >= first + second)
        statistics = source.statistics()
        assert statistics.kernel_drops > 0
        assert statistics.queue_freezes > 0
        assert collector.writer.written + statistics.kernel_drops == first + second
        assert source.statistics().kernel_drops == statistics.kernel_drops  # reading does not count twice
    finally:
        source.close()


def test_a_reader_that_keeps_up_loses_nothing_at_full_speed(namespace: str) -> None:
    source = entered(namespace, lambda: open_source(["vb"]))
    try:
        counted: list[int] = []
        thread = threading.Thread(
            target=lambda: counted.append(replay(namespace, CAPTURES / "app-bgp.pcap", loop=1000))
        )
        thread.start()
        packets, end = 0, time.monotonic() + 60
        while thread.is_alive() or (packets + source.statistics().kernel_drops < counted[0] and time.monotonic() < end):
            select.select([source.fileno()], [], [], 0.1)
            while (block := source.read()) is not None:
                packets += len(block.frames)
                source.release(block)
        thread.join()
        statistics = source.statistics()
        assert packets + statistics.kernel_drops == counted[0] == 91_000
        assert statistics.kernel_drops == 0
    finally:
        source.close()


@pytest.mark.parametrize("text", ["tcp", "udp", "vlan", "vlan and tcp", "not vlan and tcp port 179", "greater 100"])
def test_filters_select_what_tcpdump_selects(namespace: str, tmp_path: Path, text: str) -> None:
    written = tmp_path / "tcpdump.pcap"
    tcpdump = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            namespace,
            "tcpdump",
            "--immediate-mode",
            "-Z",
            "root",
            "-U",
            *("-B", "65536", "-s", "4096"),  # room for all: it takes whole frames of 256 KiB otherwise, eight of them
            "-i",
            "vb",
            "-w",
            written,
            text,
        ],
        stderr=subprocess.PIPE,
    )
    try:
        assert tcpdump.stderr is not None
        while b"listening" not in (line := tcpdump.stderr.readline()):
            assert line, "tcpdump ended"
        source = entered(namespace, lambda: open_source(["vb"], text))
        try:
            collector = Collector(source)
            replay(namespace, *VLAN_FILES, speed="--pps=1000")
            before, theirs = -1, written.stat().st_size
            end = time.monotonic() + 30
            while (before, collector.writer.written) != (theirs, recorded(written)[0]) and time.monotonic() < end:
                before = theirs
                time.sleep(0.5)
                collector.take()
                theirs = written.stat().st_size
        finally:
            source.close()
    finally:
        tcpdump.send_signal(signal.SIGINT)
        _, words = tcpdump.communicate(timeout=30)
    assert b"\n0 packets dropped by kernel" in b"\n" + words, words
    assert collector.frames() == frames_in(written)


def test_the_snap_length_cuts_and_the_wire_length_stays(namespace: str) -> None:
    for text in ("", "tcp"):
        source = entered(namespace, lambda text=text: open_source(["vb"], text, snaplen=60))
        try:
            collector = Collector(source)
            sent = replay(namespace, CAPTURES / "app-bgp.pcap")
            collector.until(79 if text else sent)
            frames = collector.frames()
            assert max(len(data) for data, _ in frames) == 60
            assert max(wire for _, wire in frames) > 60
        finally:
            source.close()


def test_any_knows_the_interface_of_each_packet(namespace: str) -> None:
    def story() -> None:
        source = open_source(["any"])
        try:
            collector = Collector(source)
            sent = replay(namespace, CAPTURES / "app-bgp.pcap")
            send_datagrams(namespace, ("127.0.0.1", 9))
            collector.until(2 * sent + 2)
            # Sent on va, received on vb. The datagram and the answer that nobody listens are seen once each on lo, not twice.
            assert collector.by_interface == {"va": sent, "vb": sent, "lo": 2}
        finally:
            source.close()

    entered(namespace, story)


def test_a_filter_on_any_holds_for_raw_ip_too(namespace: str) -> None:
    try:
        inside(namespace, "ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no tun devices here: {error.stderr.decode().strip()}")
    inside(namespace, "ip", "addr", "add", "10.8.0.1/24", "dev", "tun0")

    def story() -> None:
        handle = os.open("/dev/net/tun", os.O_RDWR)  # somebody must be behind it, or it has no carrier
        fcntl.ioctl(handle, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF: IFF_TUN | IFF_NO_PI
        inside(namespace, "ip", "link", "set", "tun0", "up")
        source = open_source(["any"], "udp port 9999")
        try:
            send_datagrams(namespace, ("10.8.0.2", 9999), ("10.8.0.2", 53), ("127.0.0.1", 9999))
            collector = Collector(source)
            collector.until(2)
            assert collector.by_interface == {"tun0": 1, "lo": 1}
            assert {one.name: one.link_type for one in source.interfaces} == {"tun0": 101, "lo": 1}
        finally:
            source.close()
            os.close(handle)

    entered(namespace, story)


def send_datagrams(namespace: str, *addresses: tuple[str, int]) -> None:
    code = f"import socket as s; u = s.socket(2, 2); [u.sendto(b'hello', one) for one in {addresses!r}]"
    inside(namespace, sys.executable, "-c", code)


def promiscuity(namespace: str, name: str) -> int:
    words = inside(namespace, "ip", "-d", "link", "show", name).stdout.decode().split()
    return int(words[words.index("promiscuity") + 1])


def test_promiscuous_mode_ends_with_the_source(namespace: str) -> None:
    source = entered(namespace, lambda: open_source(["vb"]))
    assert promiscuity(namespace, "vb") == 1
    source.close()
    assert promiscuity(namespace, "vb") == 0
    source = entered(namespace, lambda: open_source(["vb"], promiscuous=False))
    assert promiscuity(namespace, "vb") == 0
    source.close()


def test_a_block_that_is_still_held_outlives_the_source(namespace: str) -> None:
    source = entered(namespace, lambda: open_source(["vb"]))
    replay(namespace, CAPTURES / "app-bgp.pcap")
    assert select.select([source.fileno()], [], [], 30)[0]
    block = source.read()
    source.close()
    assert promiscuity(namespace, "vb") == 0
    frame = block.frames[0]
    at = int(frame["offset"])
    assert block.data[at : at + int(frame["cap_len"])].tobytes() == frames_in(CAPTURES / "app-bgp.pcap")[0][0]
    source.release(block)


def test_blocks_that_are_held_keep_their_memory(namespace: str) -> None:
    source = entered(namespace, lambda: open_source(["vb"], ring_bytes=1 << 20))
    try:
        held, seen = [], 0
        sent = 0
        for _ in range(40):
            sent += replay(namespace, CAPTURES / "app-bgp.pcap", loop=20)
            time.sleep(0.05)
            while (block := source.read()) is not None:
                copy = [
                    block.data[int(f["offset"]) : int(f["offset"]) + int(f["cap_len"])].tobytes() for f in block.frames
                ]
                held.append((block, copy))
                seen += len(copy)
            if source.statistics().kernel_drops:
                break
        assert source.statistics().kernel_drops > 0  # the ring is full of what is held
        later = Collector(source)  # what the kernel had not handed over yet
        for block, copy in held:
            assert copy == [
                block.data[int(f["offset"]) : int(f["offset"]) + int(f["cap_len"])].tobytes() for f in block.frames
            ]
            source.release(block)
            source.release(block)  # a second time does nothing
        until(lambda: later.take() or seen + later.writer.written + source.statistics().kernel_drops >= sent)
        assert seen + later.writer.written + source.statistics().kernel_drops == sent
        collector = Collector(source)
        collector.until(replay(namespace, CAPTURES / "app-bgp.pcap"))
        assert collector.writer.written == 91
    finally:
        source.close()


def states(source: Any, wanted: list[tuple[str, str]], seconds: float = 30.0) -> list[tuple[str, str]]:
    """Events until those wanted came."""
    found: list[tuple[str, str]] = []
    end = time.monotonic() + seconds
    while len(found) < len(wanted) and time.monotonic() < end:
        select.select([source.fileno()], [], [], 0.05)
        block = source.read()
        if block is not None:
            source.release(block)
        found += [(event.name, event.state) for event in source.events()]
    return found


def test_an_interface_goes_down_away_and_comes_back_while_the_other_goes_on(namespace: str) -> None:
    make_link(namespace, "wa", "wb")

    def story() -> None:
        source = open_source(["vb", "wb"])
        try:
            inside(namespace, "ip", "link", "set", "vb", "down")
            assert states(source, [("vb", "down")]) == [("vb", "down")]
            assert [one.up for one in source.interfaces] == [False, True]
            inside(namespace, "ip", "link", "set", "vb", "up")
            assert states(source, [("vb", "up")]) == [("vb", "up")]
            collector = Collector(source)
            collector.until(replay(namespace, CAPTURES / "app-bgp.pcap"))
            assert collector.by_interface == {"vb": 91}
            inside(namespace, "ip", "link", "del", "vb")
            assert states(source, [("vb", "gone")]) == [("vb", "gone")]
            collector.until(91 + replay(namespace, CAPTURES / "app-bgp.pcap", device="wa"))
            assert collector.by_interface == {"vb": 91, "wb": 91}
            make_link(namespace, "va", "vb")
            assert states(source, [("vb", "back")]) == [("vb", "back")]
            source.reopen("vb", packet_socket())
            assert states(source, [("vb", "up")]) == [("vb", "up")]
            collector.until(182 + replay(namespace, CAPTURES / "app-bgp.pcap"))
            assert collector.by_interface == {"vb": 182, "wb": 91}
            assert [one.name for one in source.interfaces] == ["vb", "wb"]
            assert source.statistics().interface_events == 4
        finally:
            source.close()

    entered(namespace, story)


def test_what_an_interface_gave_before_it_was_removed_is_not_lost(namespace: str) -> None:
    def story() -> None:
        source = open_source(["vb"])
        try:
            sent = replay(namespace, CAPTURES / "app-bgp.pcap")
            inside(namespace, "ip", "link", "del", "vb")
            collector = Collector(source)
            collector.until(sent)
            assert collector.writer.written == sent
            assert source.statistics().kernel_drops == 0
        finally:
            source.close()

    entered(namespace, story)


def test_sockets_that_cannot_be_used_are_refused_and_closed(namespace: str) -> None:
    from app.capture.af_packet import OpenedSocket, open_ring
    from app.model.errors import CaptureError

    good, bad = packet_socket(), packet_socket()
    with pytest.raises(CaptureError) as refused:
        open_ring([OpenedSocket("lo", good), OpenedSocket("nosuch0", bad)])
    assert refused.value.code == "no_such_interface"
    assert "nosuch0" in refused.value.message
    assert good.fileno() == bad.fileno() == -1
    sock = packet_socket()
    with pytest.raises(CaptureError, match="the kernel refuses the filter"):
        open_ring([OpenedSocket("lo", sock, [(0x05, 0, 0, 99)])])
    assert sock.fileno() == -1


def test_no_descriptor_is_left_open(namespace: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        source = entered(namespace, lambda: open_source(["va", "vb", "lo"]))
        source.read()
        source.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_scapy_source_sees_the_same_frames(namespace: str) -> None:
    from app.capture.scapy_source import open_sniffer

    def story() -> list[tuple[bytes, int]]:
        import scapy.interfaces
        import scapy.layers.all  # noqa: F401
        from scapy.config import conf

        conf.ifaces.reload()
        source = open_sniffer(["vb"], "tcp", 0)
        try:
            replay(namespace, CAPTURES / "app-bgp.pcap")
            collector = Collector(source)
            collector.until(79)
            return collector.frames()
        finally:
            source.close()

    tcp = [
        (data, wire)
        for data, wire in frames_in(CAPTURES / "app-bgp.pcap")
        if data[12:14] == b"\x08\x00" and data[23] == 6
    ]
    assert entered(namespace, story) == tcp
