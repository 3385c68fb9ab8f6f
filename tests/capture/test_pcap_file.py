"""Capture files as a source: every format and variant, damage, streams."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from app.capture import pcap_file
from app.capture.pcap_file import CaptureFile, open_file
from app.model.errors import CaptureError
from tests.capture.capture_bytes import Packet, block, enhanced, interface, pcap, read_pcap, section, simple

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
TOTALS = json.loads((CAPTURES / "totals.json").read_text())
# Where we differ from tshark on purpose, with the reason.
OTHER = {
    "fmt-pcap-bad-caplen.pcap": "tshark takes the damaged record for one of another variant and counts a packet that is none",
    "fmt-pcap-nanosecond-bad-ts.pcap": "a fraction of 2^31 ns: tshark takes it as negative",
    "fmt-pcap-bad-version.pcap": "refused",
    "fmt-pcapng-bad-version.pcapng": "refused",
    "fmt-pcapng-shb-option-too-long.pcapng": "refused",
}
PACKETS: list[Packet] = [
    (1_700_000_000_123_456_000 + i * 1_000_000, bytes([i % 256]) * size, size + 7)
    for i, size in enumerate((60, 0, 1, 1514, 9000))
]


def frames_of(source: CaptureFile) -> list[Packet]:
    found = []
    while not source.finished:
        block = source.read()
        if block is not None:
            for frame in block.frames:
                start = int(frame["offset"])
                assert start + int(frame["cap_len"]) <= len(block.data)
                data = block.data[start : start + int(frame["cap_len"])].tobytes()
                found.append((int(frame["ts"]), data, int(frame["wire_len"])))
            source.release(block)
    assert source.read() is None
    return found


def read_bytes(raw: bytes) -> list[Packet]:
    return frames_of(open_file(io.BytesIO(raw)))


def ns(seconds: str | None) -> int | None:
    return None if seconds is None else int(Decimal(seconds) * 10**9)


@pytest.mark.parametrize("name", sorted(set(TOTALS) - set(OTHER)))
def test_counts_and_times_are_those_of_tshark(name: str) -> None:
    source = open_file(CAPTURES / name)
    found = frames_of(source)
    times = [ts for ts, _, _ in found if ts != -1]
    assert {
        "frames": len(found),
        "bytes_on_wire": sum(wire for _, _, wire in found),
        "bytes_captured": sum(len(data) for _, data, _ in found),
        "first_ts": times[0] if times else None,
        "last_ts": times[-1] if times else None,
    } == {**TOTALS[name], "first_ts": ns(TOTALS[name]["first_ts"]), "last_ts": ns(TOTALS[name]["last_ts"])}
    assert not source.truncated
    assert source.statistics().packets == len(found)
    source.close()


@pytest.mark.parametrize("name", sorted(name for name, why in OTHER.items() if why == "refused"))
def test_unknown_versions_and_damaged_headers_are_refused(name: str) -> None:
    with pytest.raises(CaptureError) as refused:
        open_file(CAPTURES / name)
    assert refused.value.code == "bad_file"
    assert name in refused.value.message
    assert "pcap and pcapng are allowed" in refused.value.message


def test_an_absurd_length_ends_the_file_with_what_came_before() -> None:
    source = open_file(CAPTURES / "fmt-pcap-bad-caplen.pcap")
    assert len(frames_of(source)) == 1
    assert source.truncated
    assert source.problem is not None
    assert "262144" in source.problem
    source.close()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("unit", "extra"), [(1000, 0), (1, 0), (1000, 8)])
def test_variants_of_pcap_hold_the_same_packets(big: bool, unit: int, extra: int) -> None:
    assert read_bytes(pcap(PACKETS, big=big, unit=unit, extra=extra)) == PACKETS


def test_lengths_stand_the_other_way_round_before_version_2_3() -> None:
    assert read_bytes(pcap(PACKETS, minor=2)) == PACKETS


def test_bits_about_the_frame_check_sequence_are_no_link_type() -> None:
    source = open_file(io.BytesIO(pcap(PACKETS, link=0x2400_0001)))
    assert [one.link_type for one in source.interfaces] == [1]


@pytest.mark.parametrize("seed", range(3))
def test_records_across_the_buffer_edge_are_whole(seed: int) -> None:
    rng = random.Random(seed)
    packets = []
    for i in range(600):
        data = rng.randbytes(rng.choice((0, 60, 1514, 9000, 65_535)))
        packets.append((i * 1000, data, len(data)))
    raw = pcap(packets)
    assert len(raw) > 4 * pcap_file.READ_SIZE
    assert read_bytes(raw) == packets == read_pcap(raw)


def test_the_largest_frame_is_read_and_one_byte_more_is_not() -> None:
    largest = [(0, bytes(262_144), 300_000)] * 3
    assert read_bytes(pcap(largest)) == largest
    source = open_file(io.BytesIO(pcap([*largest, (0, bytes(262_145), 262_145)])))
    assert len(frames_of(source)) == 3
    assert source.truncated


def test_more_frames_than_a_block_holds() -> None:
    packets = [(i * 1000, b"", i) for i in range(3 * pcap_file.FRAMES_PER_BLOCK + 5)]
    source = open_file(io.BytesIO(pcap(packets)))
    first = source.read()
    assert first is not None
    assert len(first.frames) == pcap_file.FRAMES_PER_BLOCK
    assert len(frames_of(source)) == len(packets) - len(first.frames)


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 1000])
def test_a_cut_file_gives_what_is_whole(cut: int) -> None:
    raw = pcap(PACKETS)
    source = open_file(io.BytesIO(raw[:-cut]))
    assert frames_of(source) == PACKETS[:-1]
    assert source.truncated
    assert source.problem == "it ends inside a record"


def test_gzip_also_in_several_members_and_with_rubbish_behind() -> None:
    raw = pcap(PACKETS)
    for packed in (
        gzip.compress(raw),
        gzip.compress(raw[:100]) + gzip.compress(raw[100:]),
        gzip.compress(raw) + b"rubbish",
    ):
        source = open_file(io.BytesIO(packed))
        assert frames_of(source) == PACKETS
        assert not source.truncated


def test_cut_and_damaged_gzip_gives_what_could_be_unpacked() -> None:
    rng = random.Random(1)
    packets = [(i, rng.randbytes(500), 500) for i in range(0, 2_000_000, 1000)]
    packed = gzip.compress(pcap(packets), 1)
    source = open_file(io.BytesIO(packed[: len(packed) // 2]))
    found = frames_of(source)
    assert 900 < len(found) < 1000
    assert found == packets[: len(found)]
    assert (source.truncated, source.problem) == (True, "the gzip data end too early")
    broken = bytearray(packed)
    broken[-6] ^= 1  # the checksum
    source = open_file(io.BytesIO(bytes(broken)))
    assert frames_of(source) == packets
    assert (source.truncated, source.problem) == (True, "the gzip data are damaged")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "it is empty"),
        (b"No packets here, only text.\n" * 10, "it is not a capture file"),
        (pcap([])[:20], "it ends inside the pcap header (20 of 24 bytes)"),
        (section()[:20], "it ends inside the first block"),
        (section()[:8] + b"abcd" + section()[12:], "no byte-order magic"),
        (section(major=3), "pcapng version 3.0 is unknown, 1.x is allowed"),
        (block(0x0A0D0D0A, b"", length=0xFFFFFFF0), "no byte-order magic"),
        (gzip.compress(b""), "it is empty"),
        (gzip.compress(b"text"), "it is not a capture file"),
        (b"\x1f\x8b\x08", "the gzip data end too early"),
        (b"\x1f\x8b\x07" + bytes(60), "the gzip data are damaged"),
    ],
)
def test_what_is_no_capture_is_refused_with_one_sentence(raw: bytes, words: str) -> None:
    with pytest.raises(CaptureError) as refused:
        open_file(io.BytesIO(raw), name="upload.pcap")
    assert refused.value.code == "bad_file"
    assert refused.value.message.startswith("upload.pcap cannot be read: ")
    assert words in refused.value.message
    assert "\n" not in refused.value.message


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    for path, words in (("missing.pcap", "does not exist"), ("", "directory"), ("a\nb", "'"), ("a\0b", "\\x00")):
        with pytest.raises(CaptureError) as refused:
            open_file(f"{tmp_path}/{path}")
        assert words in refused.value.message
        assert refused.value.message.isprintable()


def test_pcapng_sections_of_both_byte_orders_and_interfaces() -> None:
    raw = b""
    for order in ("<", ">"):
        raw += section(order)
        raw += interface(1, order=order, options=[(2, b"eth0"), (9, b"\x09")])
        raw += interface(
            101,
            order=order,
            options=[(2, b"tun0"), (9, b"\x8a"), (14, b"\0" * 7 + b"\1" if order == ">" else b"\1" + b"\0" * 7)],
        )
        raw += (
            enhanced(5, b"ab", 9, order=order)
            + block(0xBAD, b"custom", order)
            + enhanced(3 << 10 | 512, b"c", index=1, order=order)
        )
    source = open_file(io.BytesIO(raw))
    assert frames_of(source) == [(5, b"ab", 9), (4_500_000_000, b"c", 1)] * 2
    # The second section has the same interfaces, so they are not listed twice.
    assert [(one.name, one.link_type, one.index) for one in source.interfaces] == [("eth0", 1, 0), ("tun0", 101, 1)]
    assert source.statistics().other_records == 2
    assert not source.truncated


def test_interfaces_described_late_and_equal_ones_in_a_section_are_told_apart() -> None:
    source = open_file(
        io.BytesIO(section() + interface() + enhanced(1, b"x") + interface() + enhanced(2, b"y", index=1))
    )
    found = []
    while not source.finished:
        read = source.read()
        found += [int(frame["interface"]) for frame in read.frames] if read else []
    assert found == [0, 1]
    assert len(source.interfaces) == 2


def test_simple_packets_have_no_time_and_are_cut_by_the_snap_length() -> None:
    raw = section() + interface(snaplen=4) + simple(b"abcd", 60) + interface()
    assert read_bytes(raw) == [(-1, b"abcd", 60)]
    assert read_bytes(section() + interface() + simple(b"abcde")) == [(-1, b"abcde", 5)]


def test_padding_that_a_writer_left_out_of_the_length_is_no_damage() -> None:
    raw = section() + interface() + enhanced(1, b"abcde", length=37, trailer=37) + enhanced(2, b"x")
    assert [data for _, data, _ in read_bytes(raw)] == [b"abcde", b"x"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (enhanced(2, b"x" * 40, length=4), "length is impossible"),
        (enhanced(2, b"x" * 40, length=0xFFFFFFF0), "length is impossible"),
        (enhanced(2, b"x" * 40, length=44), "two lengths of a block differ"),
        (enhanced(2, b"x" * 40, trailer=76), "two lengths of a block differ"),
        (block(6, bytes(12) + b"\xff\xff\0\0" + bytes(8)), "longer than its block"),
        (block(6, bytes(4)), "length is impossible"),
        (enhanced(2, b"x", index=1), "does not describe"),
        (interface()[:-4] + b"\1\0\0\0", "two lengths of a block differ"),
        (section(major=2), "version 2.0"),
        (enhanced(2, b"x" * 40)[:-1], "ends inside a record"),
        (block(0xBAD, bytes(3_000_000))[:2_000_000], "ends inside a record"),
    ],
)
def test_lying_lengths_end_a_pcapng_with_what_came_before(bad: bytes, words: str) -> None:
    source = open_file(io.BytesIO(section() + interface() + enhanced(1, b"good") + bad + enhanced(3, b"never")))
    if "ends inside" in words:
        source = open_file(io.BytesIO(section() + interface() + enhanced(1, b"good") + bad))
    assert [data for _, data, _ in frames_of(source)] == [b"good"]
    assert source.truncated
    assert source.problem is not None
    assert words in source.problem


def test_blocks_larger_than_the_buffer_are_skipped() -> None:
    huge = block(0xBAD, bytes(5_000_000))
    comment = struct_option(1, b"c" * 60_000) * 20
    long_packet = block(6, bytes(12) + (8).to_bytes(4, "little") * 2 + b"12345678" + comment)
    raw = section() + huge + interface() + enhanced(1, b"a") + huge + long_packet + huge + enhanced(2, b"b")
    assert len(long_packet) > pcap_file.READ_SIZE
    assert [data for _, data, _ in read_bytes(raw)] == [b"a", b"12345678", b"b"]


def struct_option(code: int, value: bytes) -> bytes:
    return code.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value


def test_endless_interfaces_are_damage_not_memory() -> None:
    raw = section() + b"".join(interface(options=[(2, str(i).encode())]) for i in range(5000)) + enhanced(1, b"x")
    source = open_file(io.BytesIO(raw))
    assert frames_of(source) == []
    assert source.truncated
    assert len(source.interfaces) == 4096


def test_thousands_of_sections_are_read_in_bounded_steps() -> None:
    raw = (section() + interface()) * 50_000 + enhanced(1_000, b"x")
    assert read_bytes(raw) == [(1_000_000, b"x", 1)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_that_gives_little_at_a_time(packed: bool) -> None:
    raw = (
        section()
        + interface(options=[(2, b"eth0"), (1, b"c" * 3000)])
        + b"".join(enhanced(i, bytes(i)) for i in range(50))
    )
    sent = gzip.compress(raw) if packed else raw
    reader, writer = os.pipe()

    def feed() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for at in range(0, len(sent), 37):
                pipe.write(sent[at : at + 37])

    thread = threading.Thread(target=feed)
    thread.start()
    source = open_file(io.FileIO(reader))
    assert [one.name for one in source.interfaces] == ["eth0"]
    assert len(frames_of(source)) == 50
    assert not source.truncated
    thread.join()
    source.close()


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pcap(PACKETS))))
    source = open_file("-")
    assert source.name == "standard input"
    assert frames_of(source) == PACKETS


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap([(0, bytes(60_000), 60_000)] * 100))
    source = open_file(path)
    seen = []
    while not source.finished:
        seen.append(source.progress() or 0.0)
        source.read()
    assert seen == sorted(seen)
    assert 0 < seen[0] < 0.5
    assert source.progress() == 1.0
    source.close()


def test_an_error_of_the_disk_ends_the_file_and_is_told() -> None:
    class Broken(io.BytesIO):
        def readinto(self, buffer: object) -> int:  # type: ignore[override]
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().readinto(memoryview(buffer)[:200])  # type: ignore[arg-type]

    source = open_file(Broken(pcap(PACKETS)))
    assert frames_of(source) == PACKETS[:3]
    assert source.truncated
    assert source.problem == "reading failed (Input/output error)"


def test_a_block_stays_readable_after_close(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(PACKETS))
    source = open_file(path)
    read = source.read()
    source.close()
    assert read is not None
    assert read.data[int(read.frames[0]["offset"])] == 0
    assert source.read() is None
