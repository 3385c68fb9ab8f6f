"""Flow rows become connections with every key of the contract, and nothing made up."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from app.model.fields import CONNECTIONS, LIVE_COLUMNS
from app.model.layers import CONN_STATES
from app.services.connections import Rows, columns, connections, endpoint_text
from app.services.flow_mirror import FlowMirror
from app.services.queries import PageRequest, select
from app.wire.addresses import parse_address
from tests.fakes.rows import NOON, SECOND, flow

CONTRACT_KEYS = [
    "app_name",
    "app_path",
    "pid",
    "local_address",
    "remote_address",
    "hostname",
    "status",
    "bytes_sent",
    "bytes_recv",
    "city",
    "country",
    "protocol",
    "detailed_protocol",
    "duration",
    "reconnect_count",
    "latency_ms",
    "packet_loss_percent",
    "time_of_detection",
    "session_status",
    "end_time",
    "is_anonymous",
    "cpu_percent",
    "memory_percent",
    "flow_id",
    "community_id",
    "packets_sent",
    "packets_recv",
    "entropy_sent",
    "entropy_recv",
    "server_name",
    "asn",
    "organization",
    "direction",
    "interface",
    "attribution",
]


def connection(row: np.ndarray, own: str | None = None) -> dict[str, Any]:
    mirror = FlowMirror()
    if own:
        mirror.own_addresses([parse_address(own)[1:]])
    mirror.apply(row)
    view = mirror.view()
    return connections(Rows(view.flows, view.derived, ["eth0"]))[0]


def test_every_key_of_the_contract_is_there_and_in_the_field_table() -> None:
    found = connection(flow(1))
    assert set(CONTRACT_KEYS) <= set(found)
    assert list(found) == list(CONNECTIONS)


def test_a_whole_connection() -> None:
    row = flow(
        7,
        "192.0.2.9:51000",
        "203.0.113.5:443",
        src_bytes=1000,
        dst_bytes=5000,
        src_packets=10,
        dst_packets=30,
        dst_retransmissions=1,
        rtt_ns=12_345_678,
        src_entropy=7.5,
        history=b"ShADad",
        end=NOON + 9 * SECOND + 500_000_000,
        vlan=12,
    )
    found = connection(row)
    assert found["local_address"] == "192.0.2.9:51000"
    assert found["remote_address"] == "203.0.113.5:443"
    assert (found["bytes_sent"], found["bytes_recv"]) == (1000, 5000)
    assert (found["packets_sent"], found["packets_recv"]) == (10, 30)
    assert (found["protocol"], found["service"], found["detailed_protocol"]) == ("tcp", "HTTPS", "HTTPS")
    assert (found["status"], found["conn_state"], found["history"]) == ("ESTABLISHED", "S1", "ShADad")
    assert (found["session_status"], found["end_time"], found["end_reason"]) == ("Active", None, None)
    assert found["time_of_detection"] == "2025-10-09T08:53:27.000000Z"
    assert found["duration"] == 2.5
    assert found["latency_ms"] == 12.346
    assert found["packet_loss_percent"] == 2.5
    assert (found["entropy_sent"], found["entropy_recv"]) == (7.5, None)
    assert (found["interface"], found["vlan"]) == ("eth0", 12)
    assert all(found[key] is None for key in ("pid", "app_name", "country", "hostname", "is_anonymous", "attribution"))


def test_sent_is_what_this_machine_sent_even_when_the_other_end_began() -> None:
    row = flow(1, "203.0.113.5:40000", "192.0.2.9:22", src_bytes=100, dst_bytes=900, src_entropy=1, dst_entropy=2)
    found = connection(row, own="192.0.2.9")
    assert (found["local_address"], found["remote_address"]) == ("192.0.2.9:22", "203.0.113.5:40000")
    assert (found["bytes_sent"], found["bytes_recv"]) == (900, 100)
    assert (found["entropy_sent"], found["entropy_recv"]) == (2, 1)
    assert found["direction"] == "inbound"


def test_an_ended_flow() -> None:
    found = connection(flow(1, conn_state=3, ended=1))
    assert (found["status"], found["session_status"], found["end_reason"]) == ("CLOSE", "Closed", "closed")
    assert found["end_time"] == found["last_seen"] is not None


def test_half_closed_depends_on_the_side() -> None:
    row = flow(1, "10.0.0.1:1", "192.0.2.1:443", conn_state=5)
    assert connection(row)["status"] == "FIN_WAIT2"
    assert connection(row, own="192.0.2.1")["status"] == "CLOSE_WAIT"


def test_protocols_without_ports_or_states_have_none() -> None:
    found = connection(flow(1, "10.0.0.1:8", "192.0.2.1:0", protocol=1))
    assert (found["local_address"], found["remote_address"]) == ("10.0.0.1", "192.0.2.1")
    assert (found["status"], found["conn_state"], found["service"]) == ("NONE", None, None)
    assert found["packet_loss_percent"] is None
    assert found["latency_ms"] is None


def test_community_ids_of_the_specification() -> None:
    # github.com/corelight/community-id-spec, baseline for seed 0
    assert (
        connection(flow(1, "128.232.110.120:34855", "66.35.250.204:80"))["community_id"]
        == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
    )
    assert (
        connection(flow(1, "192.168.1.52:54585", "8.8.8.8:53", protocol=17))["community_id"]
        == "1:d/FP5EW3wiY1vCndhwleRRKHowQ="
    )


def test_endpoints() -> None:
    assert endpoint_text("192.0.2.1", 443, 6) == "192.0.2.1:443"
    assert endpoint_text("2001:db8::1", 443, 17) == "[2001:db8::1]:443"
    assert endpoint_text("2001:db8::1", 128, 58) == "2001:db8::1"
    assert endpoint_text(None, 1, 6) is None


def test_hostile_numbers_still_make_json() -> None:
    row = flow(1)
    for name in row.dtype.names or ():
        kind = row.dtype[name].kind
        if kind in "ui":
            row[name] = np.iinfo(row.dtype[name]).max
        elif kind == "f":
            row[name] = np.inf
        elif kind == "S":
            row[name] = b"\xff" * 24
    row["protocol"], row["ip_version"] = 6, 4
    found = connection(row)
    json.dumps(found, allow_nan=False)
    assert found["time_of_detection"] == "2262-04-11T23:47:16.854775Z"


def test_live_columns_are_known_keys() -> None:
    mirror = FlowMirror()
    mirror.apply(flow(1))
    view = mirror.view()
    values = columns(Rows(view.flows, view.derived), LIVE_COLUMNS)
    assert all(len(column) == 1 for column in values)
    assert set(LIVE_COLUMNS) <= set(CONNECTIONS)


def test_a_tcp_connection_closed_on_the_wire_is_closed_at_once() -> None:
    for state, closed in (("SF", True), ("REJ", True), ("RSTO", True), ("SH", True), ("S1", False), ("S2", False)):
        found = connection(flow(1, conn_state=CONN_STATES.index(state)))
        assert found["session_status"] == ("Closed" if closed else "Active"), state
        assert (found["end_time"] is not None) == closed
        assert found["end_reason"] == ("closed" if closed else None)
    assert connection(flow(1, protocol=17, conn_state=CONN_STATES.index("SF")))["session_status"] == "Active"


def test_closed_on_the_wire_is_found_as_closed() -> None:
    mirror = FlowMirror()
    mirror.apply(np.concatenate([flow(1, conn_state=CONN_STATES.index("SF")), flow(2), flow(3, ended=2)]))
    for q, expected in (("session_status:closed", {1, 3}), ("active:yes", {2}), ("ending:closed", {1})):
        view = mirror.view()
        page = select(view, PageRequest(q=q), ["eth0"], NOON)
        assert set(view.flows["flow_id"][page.indices].tolist()) == expected, q
