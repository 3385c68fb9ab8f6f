"""Live capture in a network namespace of its own: every packet sent is captured or counted as dropped, and as it was sent."""

from __future__ import annotations

import ctypes
import fcntl
import io
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.web import until
from tests.integration.replayed import recorded

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
PROJECT = Path(__file__).parents[2]
TOOLS = ("ip", "tcpreplay", "tcpdump")
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
    pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"),
]
Frame = tuple[bytes, int]


def inside(namespace: str, *command: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *command], check=True, capture_output=True, timeout=60, **options
    )


def make_link(namespace: str, left: str, right: str) -> None:
    inside(namespace, "ip", "link", "add", left, "type", "veth", "peer", "name", right)
    for name in (left, right):
        inside(namespace, "ip", "link", "set", name, "arp", "off")
        inside(namespace, "ip", "link", "set", name, "up")


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace without IPv6, so that nobody speaks unasked, with a pair va–vb."""
    name = f"ngcapture{os.getpid()}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted here: {error.stderr.decode().strip()}")
    try:
        for scope in ("all", "default"):
            inside(name, "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        inside(name, "ip", "link", "set", "lo", "up")
        make_link(name, "va", "vb")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def entered(namespace: str, work: Callable[[], Any]) -> Any:
    """`work` in a thread that is in the namespace; the process stays where it is."""
    result: list[Any] = []

    def run() -> None:
        handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(handle, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)
        try:
            result.append((True, work()))
        except BaseException as error:  # carried to the caller's thread
            result.append((False, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    done, value = result[0]
    if not done:
        raise value
    return value


def packet_socket() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


def compiled(name: str, text: str) -> Any:
    from app.broker.filter_program import compile_program
    from app.broker.packet_socket import find_interface, interfaces

    return compile_program(find_interface(name), interfaces(), text, 0, True) if text else None


def open_source(names: list[str], text: str = "", **options: Any) -> Any:
    from app.capture.af_packet import OpenedSocket, open_ring

    return open_ring([OpenedSocket(name, packet_socket(), compiled(name, text)) for name in names], **options)


def replay(namespace: str, *files: Path | str, device: str = "va", loop: int = 1, speed: str = "--topspeed") -> int:
    """Send captures; the number of frames sent."""
    out = inside(namespace, "tcpreplay", speed, "-K", "-l", str(loop), "-i", device, *files).stdout.decode()
    return int(out.split("Actual: ")[1].split()[0])


def frames_in(path: Path | io.BytesIO) -> list[Frame]:
    from app.capture.pcap_file import open_file

    source = open_file(path)
    found = []
    while not source.finished:
        block = source.read()
        for frame in block.frames if block else ():
            at = int(frame["offset"])
            found.append((block.data[at : at + int(frame["cap_len"])].tobytes(), int(frame["wire_len"])))
    source.close()
    return found


class Collector:
    """Reads a source into a pcap in memory, and counts frames by interface."""

    def __init__(self, source: Any) -> None:
        from app.capture.pcap_writer import PcapWriter

        self.source = source
        self.file = io.BytesIO()
        self.writer = PcapWriter(self.file.write)
        self.by_interface: dict[str, int] = {}

    def take(self) -> None:
        while (block := self.source.read()) is not None:
            self.writer.write(block)
            for index in block.frames["interface"].tolist():
                name = self.source.interfaces[index].name
                self.by_interface[name] = self.by_interface.get(name, 0) + 1
            self.source.release(block)

    def until(self, packets: int) -> None:
        """Read until so many came; then a little longer, to see any that are too many."""
        end = time.monotonic() + 30.0
        while sum(self.by_interface.values()) < packets and time.monotonic() < end:
            select.select([self.source.fileno()], [], [], 0.1)
            self.take()
        time.sleep(0.15)
        self.take()

    def frames(self) -> list[Frame]:
        self.writer.finish()
        return frames_in(io.BytesIO(self.file.getvalue()))


VLAN_FILES = [CAPTURES / name for name in ("encap-vlan.pcap", "encap-qinq.pcap", "app-bgp.pcap")]


def sent_frames(files: list[Path]) -> list[Frame]:
    """What tcpreplay sends of them: frames as captured, with no memory of a longer original."""
    return [(data, len(data)) for path in files for data, _ in frames_in(path)]


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


def run_command(namespace: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """`app capture`, ready to capture."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "app", "capture", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("capturing on ")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_the_command_writes_what_was_sent_and_ends_by_a_signal(
    namespace: str, tmp_path: Path, number: signal.Signals, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    process = run_command(namespace, "-i", "vb", "-w", out)
    try:
        replay(namespace, *VLAN_FILES)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert frames_in(out) == sent_frames(VLAN_FILES)
    assert "107 packets" in err
    assert "0 dropped by the kernel" in err
    capabilities = int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)
    assert capabilities & ~(1 << 1) == 0  # nothing but writing files as root


def test_the_command_stops_at_the_count_and_filters(namespace: str, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    process = run_command(namespace, "-i", "va,vb", "-w", out, "-f", "tcp port 179", "-c", "50", "-s", "60")
    replay(namespace, CAPTURES / "app-bgp.pcap")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    frames = frames_in(out)
    assert len(frames) == 50
    assert max(len(data) for data, _ in frames) == 60


def test_the_command_stops_after_the_time_with_an_empty_file_that_is_one(namespace: str, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    process = run_command(namespace, "-i", "any", "-w", out, "-d", "0.3")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert frames_in(out) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-i", "nosuch0", "-w", "/dev/null"), "there are lo, vb, va and any"),
        (("-i", "vb", "-w", "/dev/null", "-f", "tcp prot 80"), "syntax error"),
        (("-i", "vb", "-w", "/nosuch/out.pcap"), "/nosuch/out.pcap cannot be written: No such file or directory"),
        (("-i", "vb", "-w", "/dev/full"), "writing /dev/full failed: No space left on device"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(namespace: str, arguments: tuple[str, ...], words: str) -> None:
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "app", "capture", *arguments]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("capturing on")]
    assert len(lines) == 1
    assert words in lines[0]


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
