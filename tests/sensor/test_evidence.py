"""The packets behind an alert raise it again: the same rule, source and target, from the file alone."""

import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.capture.pcap_file import open_file
from app.detect.alert_documents import alert_document
from app.detect.engine import Engine
from app.model.alert import Alert, Detection, Evidence
from app.model.errors import CaptureError
from app.model.timestamps import rfc3339
from app.sensor.assembly import assemble
from app.sensor.evidence import MAX_BYTES, MAX_WAITING, PER_TICK, EvidenceCutter
from app.sensor.files_alone import FilesAlone
from app.sensor.packet_store import PacketStore
from app.sensor.pipeline import Pipeline
from app.sensor.reproduce import reproduce, wanted_alert
from app.wire.block import Block
from app.wire.pcap_write import pcapng_header
from app.wire.records import FRAME_DTYPE
from config import Settings

PROJECT = Path(__file__).parents[2]
CAPTURES = PROJECT / "tests" / "data" / "captures"


def arp_sweep(path, hosts=60):
    """A capture in which 10.0.0.1 asks for its neighbours, with other traffic before."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(hosts):
            frame = b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
            frame += b"\x02\0\0\0\0\x01" + bytes([10, 0, 0, 1]) + bytes(6) + bytes([10, 0, 0, number + 2]) + bytes(18)
            file.write(
                struct.pack("<IIII", 1_700_000_000 + number // 20, number * 1000, len(frame), len(frame)) + frame
            )
    return path


def syns(second, rate):
    """A block of one second: SYNs to one port, each in another's name."""
    frames = np.zeros((rate, 60), np.uint8)
    frames[:, 12:15], frames[:, 17], frames[:, 22:24] = (8, 0, 0x45), 40, (64, 6)
    number = (second << 16) + np.arange(rate)
    frames[:, 26:30] = np.stack([np.full(rate, 11), number >> 16, number >> 8 & 255, number & 255], axis=1)
    frames[:, 30:34] = (10, 0, 0, 9)
    frames[:, 34:38] = (40, 0, 1, 187)
    frames[:, 46:48] = (0x50, 2)
    stamps = np.zeros(rate, FRAME_DTYPE)
    stamps["offset"], stamps["link_type"] = np.arange(rate) * 60, 1
    stamps["cap_len"] = stamps["wire_len"] = 60
    stamps["ts"] = 1_700_000_000 * 10**9 + second * 10**9 + np.arange(rate) * (10**9 // rate)
    return Block(frames.reshape(-1), stamps)


def held(store):
    return [packet_id for records in store.windows_back() for packet_id in records["packet_id"].tolist()]


def stamps_of(file):
    """ns of the packets in a file."""
    source = open_file(io.BytesIO(file))
    stamps = set()
    while (block := source.read()) is not None or not source.finished:
        if block is not None:
            stamps |= set(block.frames["ts"].tolist())
            source.release(block)
    source.close()
    return stamps


def without_header(file):
    """A pcapng file from its second block on."""
    return file[struct.unpack_from("<I", file, 4)[0] :]


def cut(path):
    store = PacketStore(8 << 20)
    cutter = EvidenceCutter(store)
    engine = Engine(on_alert=cutter.want)
    pipeline = Pipeline(4096, store, detection=engine)
    pipeline.evidence = cutter
    source = open_file(path)
    while (block := source.read()) is not None or not source.finished:
        if block is not None:
            pipeline.feed(block)
            source.release(block)
    pipeline.close_tick()
    pipeline.finish()
    source.close()
    files = {entry["id"]: entry for _ in range(5) for entry in cutter.take()}
    return engine.folding.alerts(), files


def test_a_flood_does_not_push_its_beginning_out_of_the_file():
    """The store is overwritten many times while the alert grows: the file keeps the packets that passed the limit, and only those are named."""
    store = PacketStore(1 << 20)
    cutter = EvidenceCutter(store)
    engine = Engine(on_alert=cutter.want)
    pipeline = Pipeline(4096, store, detection=engine)
    pipeline.evidence = cutter
    touched = []
    cutter.on_filed = touched.append
    files = []
    for number in range(8):
        pipeline.feed(syns(number, 200 << number))
        files += cutter.take()
    [alert] = [alert for alert in engine.folding.alerts() if alert.detection.rule == "syn_flood"]
    assert alert.count > 2
    assert len(alert.evidence) > len(alert.backed) > 0
    assert {one.packet_id for one in alert.evidence} - set(held(store))  # has been overwritten
    mine = [entry for entry in files if entry["id"] == alert.id]
    assert all(entry["complete"] for entry in mine)
    assert {one.ts for one in alert.backed} <= stamps_of(mine[-1]["file"])
    assert alert in touched


def test_the_file_raises_the_alert_again(tmp_path):
    alerts, files = cut(arp_sweep(tmp_path / "sweep.pcap"))
    assert [alert.detection.rule for alert in alerts] == ["host_sweep_arp"]
    entry = files[alerts[0].id]
    assert entry["complete"]
    file = tmp_path / "evidence.pcapng"
    file.write_bytes(entry["file"])
    found = reproduce(str(file))
    assert found["reproduced"]
    assert found["differences"] == {}
    assert found["alert"]["id"] == alerts[0].id
    command = [sys.executable, "-m", "app", "reproduce", str(file)]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.strip().endswith("raised again, identical")


def test_limit_passed_at_another_packet_is_the_same_alert_an_hour_later_another(tmp_path):
    alerts, files = cut(arp_sweep(tmp_path / "sweep.pcap"))
    one = alerts[0]
    wanted = {
        "id": one.id[:8] + "89abcdef",
        "rule": "host_sweep_arp",
        "source": "10.0.0.1",
        "target": one.detection.target,
    }
    file = tmp_path / "evidence.pcapng"
    for seconds, same in ((1, True), (-1, True), (3_599, True), (7_200, False), (-7_200, False)):
        moment = rfc3339(one.first_seen + seconds * 10**9)
        comment = json.dumps({"netglass_alert": {**wanted, "first_seen": moment, "last_seen": moment}})
        file.write_bytes(pcapng_header(comment) + without_header(files[one.id]["file"]))
        found = reproduce(str(file))
        assert found["reproduced"] is same
        if same:
            assert found["alert"]["id"] == wanted["id"]
            assert found["differences"]["first_seen"] == [moment, rfc3339(one.first_seen)]
            assert "id" not in found["differences"]


def test_an_alert_of_another_subject_keeps_its_own_id(tmp_path):
    """The same rule and the same ends, but folded by another key."""
    alerts, files = cut(arp_sweep(tmp_path / "sweep.pcap"))
    one = alerts[0]
    file = tmp_path / "evidence.pcapng"
    wanted = {"id": "0123456789abcdef", "rule": "host_sweep_arp", "source": "10.0.0.1", "target": one.detection.target}
    file.write_bytes(pcapng_header(json.dumps({"netglass_alert": wanted})) + without_header(files[one.id]["file"]))
    found = reproduce(str(file))
    assert (found["reproduced"], found["alert"]["id"]) == (True, one.id)
    assert found["differences"]["id"] == [wanted["id"], one.id]


def starvation(path, requests=230):
    """DHCP discovers of ever new clients over six seconds: no end of this alert is an address, and an alert names ten packets."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(requests):
            mac = b"\x02\x11" + number.to_bytes(4, "big")
            bootp = struct.pack(">BBBBIHH", 1, 1, 6, 0, number, 0, 0x8000) + bytes(16) + mac + bytes(10 + 64 + 128)
            bootp += b"\x63\x82\x53\x63\x35\x01\x01\xff" + bytes(60)
            udp = struct.pack(">HHHH", 68, 67, 8 + len(bootp), 0) + bootp
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + bytes(4) + b"\xff" * 4
            frame = b"\xff" * 6 + mac + b"\x08\x00" + ip + udp
            time = (1_700_000_000 + number // 40, number % 40 * 20_000)
            file.write(struct.pack("<IIII", *time, len(frame), len(frame)) + frame)
    return path


def test_what_is_like_the_named_packets_is_kept_where_there_are_no_ends(tmp_path):
    alerts, files = cut(starvation(tmp_path / "dhcp.pcap"))
    one = next(alert for alert in alerts if alert.detection.rule == "dhcp_flood")
    assert (one.detection.source, one.detection.target) == (None, None)
    entry = files[one.id]
    assert entry["packets"] > len(one.evidence)
    file = tmp_path / "evidence.pcapng"
    file.write_bytes(entry["file"])
    found = reproduce(str(file))
    assert found["reproduced"]
    assert found["alert"]["id"] == one.id


def test_half_of_the_packets_do_not(tmp_path):
    alerts, _ = cut(arp_sweep(tmp_path / "sweep.pcap"))
    comment = json.dumps(
        {"netglass_alert": {"rule": "host_sweep_arp", "source": "10.0.0.1", "target": alerts[0].detection.target}}
    )
    file = tmp_path / "nothing.pcapng"
    file.write_bytes(pcapng_header(comment))
    command = [sys.executable, "-m", "app", "reproduce", "--json", str(file)]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert said.returncode == 1
    assert json.loads(said.stdout)["reproduced"] is False


def test_other_files_are_refused_with_a_sentence(tmp_path):
    for name in ("app-dhcp.pcap", "fmt-pcapng-le-001.pcapng"):
        with pytest.raises(CaptureError, match="which alert"):
            wanted_alert(CAPTURES / name)
    broken = tmp_path / "x.pcapng"
    for text in ("{", "[]", '{"netglass_alert": 7}', '{"netglass_alert": {}}'):
        broken.write_bytes(pcapng_header(text))
        with pytest.raises(CaptureError):
            wanted_alert(broken)
    broken.write_bytes(pcapng_header("x")[:25])
    with pytest.raises(CaptureError):
        wanted_alert(broken)
    with pytest.raises(CaptureError, match="No such file"):
        wanted_alert(tmp_path / "nothing")


def alert(number, packets=(1,)):
    evidence = tuple(Evidence(packet, 1_700_000_000_000_000_000) for packet in packets)
    return Alert.begin(
        Detection(
            "r", "t", "low", 1.0, "why", 1_700_000_000_000_000_000, "10.0.0.1", None, (number,), evidence=evidence
        )
    )


def test_work_and_memory_are_bounded(tmp_path):
    store = PacketStore(8 << 20)
    cutter = EvidenceCutter(store)
    pipeline = Pipeline(4096, store)
    source = open_file(arp_sweep(tmp_path / "many.pcap", 250))
    while (block := source.read()) is not None:
        for _ in range(60):
            pipeline.feed(block)
    source.close()
    for number in range(MAX_WAITING + 20):
        cutter.want(alert(number))
    assert cutter.lost == 20
    made = cutter.take()
    assert len(made) == PER_TICK
    assert all(len(entry["file"]) < MAX_BYTES + 10_000 for entry in made)
    assert made[0]["packets"] > 1000
    first = alert(0)
    cutter.want(first)  # it has not grown
    assert first.id not in cutter._waiting


def over_a_few_packets(tmp_path):
    """A cutter over a store that holds them."""
    store = PacketStore(1 << 20)
    source = open_file(arp_sweep(tmp_path / "few.pcap", 30))
    Pipeline(4096, store).feed(source.read())
    source.close()
    return EvidenceCutter(store)


def test_packets_are_named_for_a_detector_that_names_flows(tmp_path):
    cutter = over_a_few_packets(tmp_path)
    nameless = alert(1, ())
    cutter.want(nameless)
    [entry] = cutter.take()
    assert entry["complete"]
    assert 0 < len(nameless.backed) <= 10
    assert {one.ts for one in nameless.backed} <= stamps_of(entry["file"])


def test_no_packet_is_named_before_it_is_known_which_can_be_shown(tmp_path):
    cutter = over_a_few_packets(tmp_path)
    told = []
    cutter.on_filed = told.append
    shown, gone = alert(1, (1, 9999)), alert(2, (8888, 9999))
    gone.flow_ids, gone.detection.source = [], "10.9.9.9"
    for one in (shown, gone):
        cutter.want(one)
        assert alert_document(one)["evidence_packets"] == []
    assert len(cutter.take()) == 1
    assert [one["packet"] for one in alert_document(shown)["evidence_packets"]] == [1]
    assert len(gone.backed) == 2  # no file is to come: what the detector named is all that there is
    assert told == [shown, gone]


def test_packets_that_are_gone_are_said(tmp_path):
    cutter = over_a_few_packets(tmp_path)
    partly = alert(1, (1, 9999))
    cutter.want(partly)
    assert cutter.take()[0]["complete"] is False
    assert [one.packet_id for one in partly.backed] == [1]


def test_an_alert_of_a_later_capture_is_told_again_when_its_file_is_there(tmp_path):
    parts = assemble(
        Settings(data_dir=tmp_path, packet_store_mb=8), FilesAlone(), FilesAlone().rights(), lambda message: None
    )
    pipeline, cutter = parts.snapshots._pipeline, parts.snapshots.evidence
    pipeline.reset()  # as each capture begins
    shown = alert(1, ())
    cutter.on_filed(shown)
    assert pipeline.detection.folding.take_changed(10) == [shown]
    parts.dissector.close()
