"""Exports over REST: every format, every schema, by query, flow and time, downloaded or saved."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services.export_sources import SEED_KEYS
from app.services.packet_export import flow_comments
from tests.fakes.web import Site, running_site, until

# Names that Suricata's schema of EVE (etc/schema.json) has at the top and in the objects used here.
EVE_TOP = {
    "timestamp", "flow_id", "in_iface", "event_type", "vlan", "src_ip", "src_port", "dest_ip", "dest_port", "proto", "ip_v", "community_id",
    "app_proto", "flow", "tcp", "dns", "tls", "http", "alert",
}  # fmt: skip
EVE_INNER = {
    "flow": {"pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "start", "end", "age", "state", "reason"},
    "tcp": {"tcp_flags", "tcp_flags_ts", "tcp_flags_tc", "fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr", "state"},
    "dns": {"version", "type", "rcode", "queries", "answers"},
    "tls": {"sni", "version", "subject", "issuerdn", "notbefore", "notafter", "subjectaltname", "ja3", "ja4", "client_alpns"},
    "http": {"hostname", "url", "http_user_agent", "http_content_type", "http_method", "protocol", "status", "length"},
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("exports")
    with running_site(folder / "data", flows=1_500, export_dir=folder / "exports") as found:
        found.wait_for_flows()
        until(lambda: len(found.house.mirror.flows) > 1_000 and found.house.mirror.newest_facts("dns"))
        found.hold_still()
        found.app.extensions["netglass.limits"]["export"].take = lambda caller: True
        yield found


def get(site: Site, path: str, status: int = 200) -> Any:
    response = site.client.get(path)
    assert response.status_code == status, response.get_data()[:500]
    return response


def table(site: Site, path: str) -> list[dict[str, str]]:
    text = get(site, path).get_data().decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_csv_has_the_known_columns_first_and_all_connections(site: Site) -> None:
    response = get(site, "/api/export")
    assert response.content_type.startswith("text/csv")
    assert 'filename="netglass-connections.csv"' in response.headers["Content-Disposition"]
    header = response.get_data().decode().split("\r\n", 1)[0].split(",")
    assert tuple(header[: len(SEED_KEYS)]) == SEED_KEYS
    rows = table(site, "/api/export/csv")
    assert len(rows) > 1_000
    shown = get(site, f"/api/connections?q=flow_id:{rows[7]['flow_id']}").get_json()[0]
    assert rows[7]["remote_address"] == shown["remote_address"]
    assert rows[7]["community_id"] == shown["community_id"]


def test_a_query_a_flow_and_a_time_choose(site: Site) -> None:
    assert {row["protocol"] for row in table(site, "/api/export?q=protocol:udp")} == {"udp"}
    one = table(site, "/api/export?what=flows&q=protocol:tcp%20sort:-bytes")[0]
    assert [row["flow_id"] for row in table(site, f"/api/export?flow={one['flow_id']}")] == [one["flow_id"]]
    some = table(site, f"/api/export?what=flows&from={one['time_of_detection']}&to={one['last_seen']}")
    assert one["flow_id"] in {row["flow_id"] for row in some}
    assert all(
        row["last_seen"] >= one["time_of_detection"] and row["time_of_detection"] <= one["last_seen"] for row in some
    )


@pytest.mark.parametrize("what", ["connections", "flows", "dns", "tls", "http", "logins"])
def test_every_kind_in_every_format(site: Site, what: str) -> None:
    rows = table(site, f"/api/export?what={what}")
    whole = get(site, f"/api/export/json?what={what}").get_json()
    lines = [json.loads(line) for line in get(site, f"/api/export/ndjson?what={what}").get_data().decode().splitlines()]
    assert rows
    assert len(whole) > 0
    assert set(whole[0]) == set(lines[0]) == set(rows[0])


@pytest.mark.parametrize("what", ["connections", "dns", "tls", "http"])
def test_eve_speaks_the_names_of_suricata(site: Site, what: str) -> None:
    lines = [
        json.loads(line)
        for line in get(site, f"/api/export/ndjson?what={what}&schema=eve").get_data().decode().splitlines()
    ]
    assert lines
    for line in lines:
        assert set(line) <= EVE_TOP
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000", line["timestamp"])
        assert None not in line.values()
        for name, inner in EVE_INNER.items():
            assert set(line.get(name, {})) <= inner
    kind = {"connections": "flow"}.get(what, what)
    assert {line["event_type"] for line in lines} == {kind}
    assert all("src_ip" in line and "proto" in line for line in lines)


def test_eve_flows_go_from_the_originator(site: Site) -> None:
    rows = table(site, "/api/export?what=flows&q=protocol:tcp%20sort:flow_id")[:50]
    lines = {line["flow_id"]: line for line in get(site, "/api/export/json?schema=eve").get_json()}
    for row in rows:
        line = lines[int(row["flow_id"])]
        assert (line["src_ip"], str(line["dest_port"])) == (row["src_ip"], row["dst_port"])
        assert line["proto"] == "TCP"


def test_ecs_nests_its_names(site: Site) -> None:
    document = get(site, "/api/export/json?schema=ecs&q=protocol:tcp").get_json()[0]
    assert document["ecs"]["version"].startswith("8.")
    assert document["network"]["transport"] == "tcp"
    assert document["network"]["community_id"].startswith("1:")
    assert isinstance(document["event"]["duration"], int)
    assert document["source"]["bytes"] + document["destination"]["bytes"] == document["network"]["bytes"]


@pytest.mark.parametrize(("what", "path"), [("connections", "conn"), ("dns", "dns"), ("tls", "ssl"), ("http", "http")])
def test_zeek_logs_can_be_cut_by_their_header(site: Site, what: str, path: str) -> None:
    lines = get(site, f"/api/export?what={what}&schema=zeek").get_data().decode().split("\n")
    fields = next(line for line in lines if line.startswith("#fields\t")).split("\t")[1:]
    types = next(line for line in lines if line.startswith("#types\t")).split("\t")[1:]
    assert f"#path\t{path}" in lines
    assert len(fields) == len(types)
    rows = [dict(zip(fields, line.split("\t"), strict=True)) for line in lines if line and not line.startswith("#")]
    assert rows
    assert all(re.fullmatch(r"\d+\.\d{6}", row["ts"]) and row["uid"].startswith("C") for row in rows)
    assert lines[-2].startswith("#close\t")


def test_saved_files_are_private_and_have_safe_names(site: Site) -> None:
    document = get(site, "/api/export/csv?save=1", 201).get_json()
    path = Path(document["path"])
    assert path.parent == site.house.settings.export_dir
    assert re.fullmatch(r"netglass-connections-\d{8}T\d{6}Z-[0-9a-f]{4}\.csv", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == document["bytes"]
    packets = get(site, "/api/export/pcap?save=1", 201).get_json()
    assert Path(packets["path"]).stat().st_size == packets["bytes"] > 24


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with running_site(tmp_path / "data", export_dir=blocked) as site:
        site.wait_for_flows()
        response = site.client.get("/api/export?save=1")
        assert response.status_code == 503
        assert "cannot be written" in response.get_json()["detail"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("what=nothing", "what"),
        ("schema=cef", "schema"),
        ("q=nofield:1", "q"),
        ("flow=x", "flow"),
        ("from=noon", "from"),
        ("save=maybe", "save"),
        ("sort=nope", "sort"),
        ("what=logins&schema=eve", "schema"),
        ("what=dns&q=nofield:1", "q"),
    ],
)
def test_what_is_wrong_is_named(site: Site, query: str, parameter: str) -> None:
    response = get(site, f"/api/export?{query}", 400)
    assert response.get_json()["parameter"] == parameter


def test_nothing_to_export_is_said_with_the_reason(site: Site) -> None:
    assert "matches the query" in get(site, "/api/export?q=port:1%20vlan:4000", 404).get_json()["detail"]
    assert "flow 999999999" in get(site, "/api/export?flow=999999999", 404).get_json()["detail"]
    assert "matches" in get(site, "/api/export?to=1971-01-01", 404).get_json()["detail"]


def test_packets_by_time(site: Site) -> None:
    get(site, "/api/export/pcap?from=1971-01-01&q=protocol:tcp%20OR%20protocol:udp%20sort:-size")
    get(site, "/api/export/pcapng?from=1971-01-01")


@pytest.mark.parametrize("query", ["", "&what=flows", "&what=dns&schema=eve", "&what=tls", "&what=http"])
def test_a_shareable_file_names_nobody(site: Site, query: str) -> None:
    response = get(site, f"/api/export/ndjson?shareable=1{query}")
    with zipfile.ZipFile(io.BytesIO(response.get_data())) as archive:
        names = archive.namelist()
        text = archive.read(names[0]).decode()
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["rows"] == len(text.splitlines()) > 0
    assert manifest["file"] == names[0]
    for word in ("google", "github", "netflix", "alice"):
        assert word not in text, word
    # A pseudonym may be the true address of somebody else. Of the ends of its own flow it says neither, but for the one address in 15,000 that
    # Crypto-PAn leaves as it is: of about 1,500 addresses more than three are left in one export of a quarter of a million.
    kept: set[str] = set()
    true = {row["flow_id"]: {row["src_ip"], row["dst_ip"]} for row in documents(site, "/api/export/ndjson?what=flows")}
    compared = 0
    for row in map(json.loads, text.splitlines()):
        ends = {_address(value) for value in _texts(row)} - {None}
        kept |= ends & true.get(row["flow_id"], set())
        compared += bool(ends) and row["flow_id"] in true
    assert len(kept) <= 3, kept
    assert compared or query in ("&what=tls", "&what=http")  # which have no addresses of their own


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _address(text: str) -> str | None:
    """The address of `192.0.2.1:443`, `[2001:db8::1]:443`, `A 192.0.2.1` or an address alone."""
    for part in (text, text.rpartition(":")[0].strip("[]"), text.rpartition(" ")[2]):
        try:
            return str(ipaddress.ip_address(part))
        except ValueError:
            continue
    return None


def documents(site: Site, path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in get(site, path).get_data().splitlines()]


def test_what_belongs_to_an_alert(site: Site) -> None:
    alert = next(one for one in until(lambda: get(site, "/api/alerts?limit=50").get_json(), 30) if one["flow_ids"])
    named = set(alert["flow_ids"])
    for what in ("flows", "connections"):
        rows = documents(site, f"/api/export/ndjson?what={what}&alert={alert['id']}")
        assert rows
        assert {row["flow_id"] for row in rows} <= named
    assert [row["id"] for row in documents(site, f"/api/export/ndjson?what=alerts&alert={alert['id']}")] == [
        alert["id"]
    ]
    assert len(table(site, f"/api/export_anomalies?alert={alert['id']}")) == 1
    for path in ("/api/export", "/api/export/pcap", "/api/export_anomalies"):
        assert "no alert nobody" in get(site, f"{path}?alert=nobody", 404).get_json()["detail"]
    assert get(site, f"/api/export?history=1&alert={alert['id']}", 400).get_json()["parameter"] == "alert"


def test_flows_have_comments_for_capture_files(site: Site) -> None:
    found = dict(flow_comments(site.house.mirror.flow_view(), None))
    assert len(found) > 1_000
    assert all(text.startswith("community_id=1:") for text in found.values())
    number = next(iter(found))
    assert flow_comments(site.house.mirror.flow_view(), number) == [[number, found[number]]]
