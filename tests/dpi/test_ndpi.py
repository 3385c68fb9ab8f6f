"""nDPI in this process: names on real captures, and what it is shown."""

import numpy as np
import pytest

from app.dpi import ndpi
from app.dpi.application import BY_CONTENT, BY_PORT, NDPI, UNRECOGNISED
from app.dpi.ndpi_budget import Budget
from app.dpi.ndpi_packets import MAX_PAYLOAD, RECORD_DTYPE, build
from tests.dpi.capture_flows import batches

needs_ndpi = pytest.mark.skipif(not ndpi.installed(), reason="nDPI (requirements-ndpi.txt) is not installed")

GOLDEN = [
    ("app-postgresql.pcap", {("PostgreSQL", "Database", BY_CONTENT)}),
    ("app-mysql.pcap", {("MySQL", "Database", BY_PORT)}),  # a server of 2008
    ("app-mqtt.pcap", {("MQTT", "RPC", BY_CONTENT)}),
    ("app-ssh-on-port-80.pcap", {("SSH", "RemoteAccess", BY_CONTENT)}),
    (
        "app-ftp-ipv4.pcap",
        {("FTP_CONTROL", "Download", BY_CONTENT), (None, None, None)},
    ),  # data connections have no name
    ("tls-dtls12.pcap", {("DTLS", "Web", BY_CONTENT)}),
    ("dns-llmnr-tcp.pcap", {("LLMNR", "Network", BY_CONTENT)}),
    ("app-bgp.pcap", {("BGP", "Network", BY_CONTENT)}),  # and one without payload, see test_ndpi_client
]


@pytest.fixture
def engine():
    one = ndpi.Engine()
    yield one
    one.close()


def classified(engine, name):
    """flow id → Application of all flows of a capture that have ports."""
    budget, found = Budget(10), {}
    ids = set()
    for packets, flow_ids, heads, data, clock in batches(name):
        rows, firsts = budget.select(packets, flow_ids, heads)
        ids |= set(flow_ids[rows[firsts]].tolist())
        found.update(engine.take(*build(packets[rows], flow_ids[rows], data), clock // 1_000_000))
    found.update((i, engine.give_up(i)) for i in ids - found.keys())
    return found


@needs_ndpi
@pytest.mark.parametrize(("name", "expected"), GOLDEN, ids=[name for name, _ in GOLDEN])
def test_names_on_captures(engine, name, expected):
    found = classified(engine, name).values()
    assert {(a.name, a.category, a.confidence) for a in found} == expected
    assert all((a.source, a.reason) == ((NDPI, None) if a.name else (None, UNRECOGNISED)) for a in found)
    assert not any("malicious_fingerprint" in a.risks for a in found)
    assert engine.live == 0


@needs_ndpi
def test_what_a_client_asked_for(engine):
    (found,) = classified(engine, "tls-hello-retry-request.pcap").values()
    assert found.name.split(".")[0] == "TLS"
    assert found.address_owner == "Google"


@needs_ndpi
def test_a_flow_in_a_tunnel(engine):
    assert "HTTP" in {a.name for a in classified(engine, "encap-vxlan-http.pcap").values()}


@needs_ndpi
def test_version(engine):
    assert engine.version.split(".")[0] == "5"


@needs_ndpi
def test_a_hello_without_payload_is_guessed_from_its_port(engine):
    packets = one_packet(payload=0, dst_port=22)
    assert engine.take(*build(packets, np.array([1], np.uint64), np.zeros(200, np.uint8))) == []
    assert engine.live == 1
    found = engine.give_up(1)
    assert (found.name, found.confidence) == ("SSH", BY_PORT)
    assert engine.give_up(1) is None
    assert engine.live == 0


@needs_ndpi
def test_too_many_flows_decide_the_oldest():
    engine = ndpi.Engine(max_flows=4)
    found = []
    for i in range(1, 11):
        found += engine.take(*build(one_packet(payload=0), np.array([i], np.uint64), np.zeros(200, np.uint8)))
    assert [i for i, _ in found] == [1, 2, 3, 4, 5, 6]
    assert engine.live == 4
    engine.close()
    assert engine.live == 0


@needs_ndpi
def test_silent_flows_are_decided():
    engine = ndpi.Engine(idle_ms=1000)
    records, data = build(
        one_packet(payload=0, ts=5_000 * 1_000_000), np.array([1], np.uint64), np.zeros(200, np.uint8)
    )
    assert engine.take(records, data, 5_900) == []
    assert [i for i, _ in engine.take(b"", b"", 6_001)] == [1]
    engine.close()


@needs_ndpi
def test_a_flow_that_changes_its_protocol_is_not_followed(engine):
    """nDPI would free a pointer made of payload: the second packet must not reach it."""
    tcp, udp = one_packet(payload=60), one_packet(payload=60)
    udp["protocol"] = 17
    data = np.full(200, 0x16, np.uint8)
    for _ in range(3):
        for packets in (tcp, udp):
            engine.take(*build(packets, np.array([9], np.uint64), data))
    assert engine.live == 1


@needs_ndpi
def test_records_must_lie_in_their_bytes(engine):
    records, data = build(one_packet(payload=60), np.array([1], np.uint64), np.zeros(200, np.uint8))
    with pytest.raises(ValueError, match="does not lie"):
        engine.take(records, data[:-1])


@needs_ndpi
def test_time_that_runs_backwards_is_harmless(engine):
    budget_of_times = [5000, 1, 5001, 0]
    for ms in budget_of_times:
        packets = one_packet(payload=40, ts=ms * 1_000_000)
        engine.take(*build(packets, np.array([1], np.uint64), np.full(200, 65, np.uint8)))
    assert engine.give_up(1) is not None


@pytest.mark.parametrize("packets", [0, 256])
def test_packets_per_flow_are_bounded(packets):
    with pytest.raises(ValueError, match="1 to 255"):
        ndpi.Engine(packets)


def one_packet(payload=100, cap_len=None, dst_port=443, ts=1_000_000_000, version=4):
    from app.wire.records import PACKET_DTYPE

    row = np.zeros(1, PACKET_DTYPE)
    row["ts"], row["protocol"], row["ip_version"], row["dst_port"], row["src_port"] = ts, 6, version, dst_port, 40000
    row["payload_offset"], row["payload_len"] = 54, payload
    row["cap_len"] = 54 + payload if cap_len is None else cap_len
    row["src_hi"] = row["dst_hi"] = 0 if version == 4 else 0x20010DB8 << 32
    row["src_lo"], row["dst_lo"], row["tcp_flags"] = 0xFFFF_C0000201, 0xFFFF_C0000202, 2
    return row


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [6, 17])
@pytest.mark.parametrize(
    ("payload", "cap_len", "held"), [(100, None, 100), (100, 74, 20), (100, 40, 0), (60_000, None, MAX_PAYLOAD)]
)
def test_headers_never_announce_more_than_there_is(version, protocol, payload, cap_len, held):
    row = one_packet(payload, cap_len, version=version)
    row["protocol"] = protocol
    records, data = build(row, np.array([7], np.uint64), np.arange(70_000, dtype=np.uint32).astype(np.uint8))
    (record,) = np.frombuffer(records, RECORD_DTYPE)
    ip, transport = (20 if version == 4 else 40), (40 if protocol == 6 else 8)
    assert record["length"] == len(data) == ip + transport + held
    assert (record["flow_id"], record["ip_version"], record["protocol"]) == (7, version, protocol)
    announced = int.from_bytes(data[2:4] if version == 4 else data[4:6], "big")
    assert announced == len(data) - (0 if version == 4 else 40)
    if protocol == 17:
        assert int.from_bytes(data[ip + 4 : ip + 6], "big") == 8 + held
    assert data[ip + transport :] == bytes((54 + i) & 255 for i in range(held))


def rows_of(flow_ids, slots=None, **columns):
    from app.wire.records import PACKET_DTYPE

    rows = np.zeros(len(flow_ids), PACKET_DTYPE)
    rows["protocol"], rows["ip_version"], rows["payload_len"] = 6, 4, 10
    rows["flow"] = slots if slots is not None else flow_ids
    for name, values in columns.items():
        rows[name] = values
    return rows, np.array(flow_ids, np.uint64), np.ones(len(flow_ids), np.uint8)


def test_budget_takes_the_first_packets_of_each_flow():
    budget = Budget(2)
    rows, firsts = budget.select(*rows_of([1, 2, 1, 1, 3, 2]))
    assert rows.tolist() == [0, 1, 2, 4, 5]
    assert firsts.tolist() == [True, True, False, True, False]
    rows, firsts = budget.select(*rows_of([3, 1, 3, 4]))
    assert (rows.tolist(), firsts.tolist()) == ([0, 3], [False, True])


def test_budget_forgets_the_flow_that_was_in_a_row_before():
    budget = Budget(1)
    assert budget.select(*rows_of([1], [5]))[0].tolist() == [0]
    assert budget.select(*rows_of([1], [5]))[0].tolist() == []
    assert budget.select(*rows_of([2], [5]))[0].tolist() == [0]
    budget.close(5, 1)  # long gone
    assert budget.select(*rows_of([2], [5]))[0].tolist() == []


def test_budget_skips_what_tells_nothing():
    kinds = [0, 128, 32, 2, 0, 0]
    packets = rows_of([1, 2, 3, 4, 5, 6], payload_len=[0, 0, 9, 9, 9, 9], kind=kinds, protocol=[6, 6, 6, 6, 1, 17])
    assert Budget(10).select(*packets)[0].tolist() == [5]


def test_a_closed_flow_shows_no_more():
    budget = Budget(10)
    budget.select(*rows_of([8], [3]))
    budget.close(3, 8)
    assert budget.select(*rows_of([8, 9], [3, 4]))[0].tolist() == [1]
