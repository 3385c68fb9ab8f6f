"""The interface is what its description says, and its description is what was promised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fakes.web import Site, running_site, until

# What users and scripts rely on: path, methods, and keys of the document or of each row.
CONTRACT: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/"): (),
    ("GET", "/api/connections"): (
        "app_name", "app_path", "pid", "local_address", "remote_address", "hostname", "status", "bytes_sent", "bytes_recv", "city",
        "country", "protocol", "detailed_protocol", "duration", "reconnect_count", "latency_ms", "packet_loss_percent",
        "time_of_detection", "session_status", "end_time", "is_anonymous", "cpu_percent", "memory_percent", "flow_id", "community_id",
        "packets_sent", "packets_recv", "entropy_sent", "entropy_recv", "server_name", "asn", "organization", "direction", "interface",
        "attribution",
    ),
    ("POST", "/api/connections/filter"): ("flow_id",),
    ("GET", "/api/interfaces"): ("interfaces", "total_data_usage_gb"),
    ("GET", "/api/packets"): (
        "id", "timestamp", "interface", "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "service", "flags", "size", "info",
        "flow_id", "card_data_detected", "payload",
    ),
    ("GET", "/api/packets/{packet_id}"): ("tree", "hex"),
    ("GET", "/api/dns_queries"): (
        "timestamp", "client", "server", "query", "type", "rcode", "answers", "ttl", "latency_ms", "transport", "process", "resolved_ips",
    ),
    ("GET", "/api/pie_data"): ("app_name", "traffic"),
    ("GET", "/api/help"): ("bytes_sent", "pps"),
    ("GET", "/api/stats"): ("totals", "rates", "runtime_s", "protocols", "top_ips", "top_ports", "latency", "packet_loss_percent", "losses"),
    ("GET", "/api/timeseries"): ("times", "series"),
    ("GET", "/api/entropy"): (),
    ("GET", "/api/anomalies"): (),
    ("GET", "/api/alerts"): (),
    ("GET", "/api/security"): (
        "total_packets", "suspicious_count", "recent_threats", "packet_history", "security_score", "threat_distribution",
    ),
    ("GET", "/api/capture"): ("state",),
    ("POST", "/api/capture/start"): (),
    ("POST", "/api/capture/stop"): (),
    ("POST", "/api/capture/replay"): (),
    ("POST", "/api/shutdown"): (),
    ("GET", "/api/logs"): (),
    ("GET", "/api/logs/{name}"): (),
    ("GET", "/api/export"): (),
    ("GET", "/api/export/csv"): (),
    ("GET", "/api/export_anomalies"): (),
    ("GET", "/api/export/json"): (),
    ("GET", "/api/export/pcap"): (),
    ("GET", "/healthz"): ("status",),
    ("GET", "/metrics"): (),
    ("GET", "/openapi.json"): ("openapi", "paths"),
}  # fmt: skip
ALERT_KEYS = {
    "id", "time_of_detection", "rule", "title", "severity", "confidence", "reason", "measured", "threshold", "source", "target", "app_name",
    "pid", "flow_ids", "count", "first_seen", "last_seen", "mitre", "status", "evidence_packets", "remote_address", "bytes_sent",
    "bytes_recv", "city", "country", "protocol", "duration", "reconnect_count",
}  # fmt: skip
NOT_THERE_YET: set[tuple[str, str]] = {("GET", "/api/entropy"), ("GET", "/api/logs"), ("GET", "/api/logs/{name}")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("openapi")
    with running_site(folder / "data", flows=300, export_dir=folder / "exports") as found:
        found.wait_for_flows()
        until(lambda: found.house.mirror.newest_facts("http"))
        for throttle in found.app.extensions["netglass.limits"].values():
            throttle.take = lambda caller: True
        yield found


@pytest.fixture(scope="module")
def document(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.client.get("/openapi.json").get_json()
    return found


def test_every_route_is_in_it(site: Site, document: dict[str, Any]) -> None:
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in set(rule.methods or ()) & {"GET", "POST", "PUT", "DELETE", "PATCH"}:
            operation = document["paths"][path][method.lower()]
            assert operation["summary"], path
            assert "default" in operation["responses"]


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)


def test_what_was_promised_is_there(site: Site, document: dict[str, Any]) -> None:
    missing = {
        (method, path)
        for method, path in CONTRACT
        if method.lower() not in document["paths"].get(path, {})
        and not any(re.sub(r"{\w+}", "{}", known) == re.sub(r"{\w+}", "{}", path) for known in document["paths"])
    }
    assert missing <= NOT_THERE_YET
    for (method, path), keys in CONTRACT.items():
        if not keys or (method, path) in missing:
            continue
        number = site.client.get("/api/packets?limit=1").get_json()[0]["id"]
        response = site.client.open(path.replace("{packet_id}", str(number)), method=method)
        assert response.status_code == 200, path
        found = response.get_json()
        row = found[0] if isinstance(found, list) else found
        assert set(keys) <= set(row), path
    assert set(document["components"]["schemas"]["Alert"]["properties"]) >= ALERT_KEYS


def test_every_answer_is_as_described(site: Site, document: dict[str, Any]) -> None:
    number = site.client.get("/api/packets?limit=1").get_json()[0]["id"]
    flow = site.client.get("/api/connections?limit=1").get_json()[0]["flow_id"]
    checked = 0
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        url = path.replace("{packet_id}", str(number)).replace("{flow_id}", str(flow))
        if "{" in url:
            continue
        response = site.client.get(url)
        operation = methods["get"]["responses"]
        described = operation.get(str(response.status_code)) or document["components"]["responses"]["Problem"]
        content = described.get("content", {})
        assert content, f"nobody has described the answer of {path}"
        assert response.mimetype in content, (path, response.status_code, response.mimetype)
        if "json" in response.mimetype:
            schema = {**content[response.mimetype]["schema"], "components": document["components"]}
            jsonschema_rs.validator_for(schema).validate(response.get_json())
        checked += 1
    assert checked > 25


def test_every_route_says_what_it_answers(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            good = {status: one for status, one in operation["responses"].items() if status != "default"}
            assert all(one.get("content") or status == "204" for status, one in good.items()), (method, path)


def test_parameters_that_are_described_are_taken(site: Site, document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] != "query" or "{" in path:
                continue
            response = site.client.get(f"{path}?{parameter['name']}=")
            assert b"there is no parameter" not in response.get_data(), (path, parameter["name"])


def test_the_page_that_shows_it(site: Site) -> None:
    text = site.client.get("/api/reference").get_data(as_text=True)
    assert "/api/connections" in text
    assert "<script" not in text


def test_the_same_document_is_not_sent_twice(site: Site) -> None:
    first = site.client.get("/api/settings")
    assert first.headers["ETag"]
    again = site.client.get("/api/settings", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.get_data() == b""


def test_measures_are_prometheus_text(site: Site) -> None:
    response = site.client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=0.0.4")
    text = response.get_data(as_text=True)
    assert re.search(r"^netglass_up 1$", text, re.M)
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) netglass_\w+ .+|netglass_\w+(\{(\w+="[^"]*",?)+\})? -?[0-9.e+]+', line), (
            line
        )
    for name in (
        "packets_total",
        "bytes_total",
        "kernel_drops_total",
        "flows_evicted_total",
        "queue_flows",
        "lag_milliseconds",
        "free_disk_bytes",
    ):
        assert f"\nnetglass_{name} " in text, name


CASES = 4  # of each operation; many more by hand: see docs/api.md


def test_no_request_breaks_it(site: Site, document: dict[str, Any]) -> None:
    """Requests made up from the description, and against it: never a 5xx that is no plain answer, never another shape."""
    description = schemathesis.openapi.from_dict(document)
    failures: list[str] = []
    client = site.client

    def ask(case: Any) -> None:
        if case.path in ("/api/shutdown", "/api/capture/replay") or (case.path, case.method) == (
            "/api/sessions",
            "POST",
        ):
            return
        response = client.open(
            case.formatted_path,
            method=case.method,
            # of a session that is made up there would be nothing but 404
            query_string={key: value for key, value in (case.query or {}).items() if key != "session"} or None,
            json=case.body if isinstance(case.body, (dict, list, str, int, float, bool)) else None,
        )
        text = response.get_data().decode("utf-8", "replace")
        if response.status_code >= 500 and response.status_code != 503:
            failures.append(
                f"{case.method} {case.formatted_path} {case.query} {case.body}: {response.status_code} {text[:200]}"
            )
        elif response.status_code >= 400 and response.content_type != "application/problem+json":
            failures.append(f"{case.method} {case.formatted_path}: {response.content_type}")

    for result in description.get_all_operations():
        operation = result.ok()
        strategy = operation.as_strategy()
        run = settings(
            max_examples=CASES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(case=strategy)(lambda case: ask(case)))
        run()
    assert not failures, failures[:5]
