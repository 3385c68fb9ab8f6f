"""Alerts over HTTP: lists, one alert, what people say of it, mute rules with their test, the packets behind it, the score."""

import json
import stat
import time
from types import SimpleNamespace

import pytest

from app.services import mutes
from tests.fakes.web import running_site, until


@pytest.fixture
def site(tmp_path):
    with running_site(tmp_path, flows=100, interval=0.02, alert_eve=True, alert_min_severity="high") as found:
        until(lambda: len(found.house.mirror.alerts) >= 6)
        found.hold_still()
        yield found


def get(site, path, status=200):
    response = site.client.get(path)
    assert response.status_code == status, response.get_data()
    return json.loads(response.get_data())


def post(site, path, body=None, status=200):
    response = site.client.post(path, json=body or {})
    assert response.status_code == status, response.get_data()
    return json.loads(response.get_data())


def test_the_list_is_newest_first_and_has_the_contracts_keys(site):
    rows = get(site, "/api/alerts")
    assert [row["last_seen"] for row in rows] == sorted((row["last_seen"] for row in rows), reverse=True)
    contract = "id time_of_detection rule title severity confidence reason measured threshold source target app_name pid flow_ids count first_seen last_seen mitre status evidence_packets remote_address bytes_sent bytes_recv city country protocol duration reconnect_count"
    assert all(set(row) >= set(contract.split()) for row in rows)
    assert get(site, "/api/anomalies") == rows
    assert all(isinstance(row["bytes_sent"], int) for row in rows)  # told by the flows


def test_status_and_note_are_kept_over_a_restart(site, tmp_path):
    alert = get(site, "/api/alerts")[0]
    made = post(site, f"/api/alerts/{alert['id']}", {"status": "acknowledged", "note": "<b>ours</b>"})
    assert (made["status"], made["note"], made["status_changed_by"]) == (
        "acknowledged",
        "<b>ours</b>",
        "token",
    )
    assert get(site, "/api/alerts?q=status:acknowledged")[0]["id"] == alert["id"]
    post(site, f"/api/alerts/{alert['id']}", {"note": "still"})
    assert get(site, f"/api/alerts/{alert['id']}")["status"] == "acknowledged"
    assert stat.S_IMODE((tmp_path / "triage.json").stat().st_mode) == 0o600
    site.house.alerts.book.triage._verdicts = None  # as after a restart
    assert get(site, f"/api/alerts/{alert['id']}")["note"] == "still"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [({}, "status"), ({"status": "done"}, "status"), ({"note": 7}, "note"), ({"note": "x" * 2001}, "note"), ({"colour": 1}, "colour")],
)  # fmt: skip
def test_a_wrong_verdict_is_named(site, body, parameter):
    alert = get(site, "/api/alerts")[0]
    assert post(site, f"/api/alerts/{alert['id']}", body, 400)["parameter"] == parameter


def test_an_alert_that_is_not_there(site):
    for path in ("", "/pcap"):
        assert "detail" in get(site, f"/api/alerts/0123456789abcdef{path}", 404)
    post(site, "/api/alerts/0123456789abcdef", {"status": "new"}, 404)
    post(site, "/api/alerts/..%2f..%2fetc/reproduce", {}, 404)


def test_several_at_once(site):
    ids = [row["id"] for row in get(site, "/api/alerts")]
    assert post(site, "/api/alert_triage", {"ids": [*ids, "nothing"], "status": "false_positive"}) == {
        "changed": len(ids),
        "unknown": 1,
    }
    assert get(site, "/api/alert_summary")["total"] == 0
    assert get(site, "/api/security")["security_score"] == 100
    assert post(site, "/api/alert_triage", {"ids": []}, 400)["parameter"] == "ids"


def test_a_mute_rule_is_tested_made_and_taken_back(site):
    rows = get(site, "/api/alerts")
    wanted = [row for row in rows if row["rule"] == "port_scan"]
    tested = post(site, "/api/mute_test", {"q": "rule:port_scan"})
    assert (tested["hidden"], tested["of"], tested["by_severity"]["high"]) == (len(wanted), len(rows), len(wanted))
    assert tested["sentence"] == f"Would have hidden {len(wanted)} of {len(rows)} alerts, {len(wanted)} of them high."
    mute = post(site, "/api/mutes", {"q": "rule:port_scan", "reason": "our scanner"}, 201)
    response = site.client.get("/api/alerts")
    assert len(json.loads(response.get_data())) == len(rows) - len(wanted) == int(response.headers["X-Total-Count"])
    assert int(response.headers["X-Muted-Count"]) == len(wanted)
    assert len(get(site, "/api/alerts?muted=1")) == len(rows)
    assert get(site, "/api/mutes")[0]["hides"] == len(wanted)
    assert site.client.delete(f"/api/mutes/{mute['id']}").status_code == 204
    assert site.client.delete(f"/api/mutes/{mute['id']}").status_code == 404
    assert get(site, "/api/alerts") == rows


def test_an_expired_rule_hides_nothing(site, monkeypatch):
    soon = time.time() + 3600
    made = post(site, "/api/mutes", {"q": "severity:high", "reason": "x", "expires_at": str(soon)}, 201)
    assert made["expires_at"].endswith("Z")
    before = len(get(site, "/api/alerts"))
    monkeypatch.setattr(mutes, "time", SimpleNamespace(time_ns=lambda: int((soon + 1) * 1e9)))
    assert len(get(site, "/api/alerts")) > before


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"reason": "x"}, "q"),
        ({"q": "", "reason": "x"}, "q"),
        ({"q": "sort:time", "reason": "x"}, "q"),
        ({"q": "colour:red", "reason": "x"}, "q"),
        ({"q": "rule:x"}, "reason"),
        ({"q": "rule:x", "reason": "x", "expires_at": "yesterday"}, "expires_at"),
        ({"q": "rule:x", "reason": "x", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"q": "rule:x", "reason": "x", "by": "me"}, "by"),
    ],
)
def test_a_wrong_rule_is_named(site, body, parameter):
    problem = post(site, "/api/mutes", body, 400)
    assert problem["parameter"] == parameter


def test_the_packets_of_an_alert(site, tmp_path):
    alert = get(site, "/api/alerts")[0]
    response = site.client.get(f"/api/alerts/{alert['id']}/pcap")
    assert response.status_code == 200
    assert response.content_type == "application/x-pcapng"
    assert response.get_data()[:4] == b"\x0a\x0d\x0d\x0a"
    assert get(site, f"/api/alerts/{alert['id']}")["evidence_file"]["complete"] is True
    response.close()


def test_the_file_is_there_before_the_alert_that_names_its_packets(tmp_path, monkeypatch):
    with running_site(tmp_path, flows=100, interval=0.02) as site:
        apply, files, there = site.house.mirror.apply, site.house.alerts.book.evidence, []

        def watched(snapshot):
            there.extend(files.find(entry["id"]) is not None for entry in snapshot.get("evidence") or ())
            apply(snapshot)

        monkeypatch.setattr(site.house.mirror, "apply", watched)
        until(lambda: len(there) >= 3)
        monkeypatch.undo()
    assert all(there)


def test_evidence_is_bounded(tmp_path):
    from app.services.evidence_files import EvidenceFiles
    from app.services.query_errors import NotThere

    files = EvidenceFiles(tmp_path / "evidence", 1000)
    for number in range(5):
        files.take([{"id": f"{number:016x}", "file": b"x" * 400, "packets": 1, "complete": True}])
    assert files.state()["files"] == 2
    assert files.removed == 3
    with pytest.raises(NotThere, match="EVIDENCE_MB"):
        files.get(f"{0:016x}")
    files.take([{"id": "../../x", "file": b"x", "packets": 1}, {"id": f"{9:016x}", "file": "text", "packets": 1}, 7])
    assert files.state()["files"] == 2
    again = EvidenceFiles(tmp_path / "evidence", 1000)
    assert again.get(f"{4:016x}").complete is None


def test_a_full_disk_is_said(tmp_path):
    from app.services.evidence_files import EvidenceFiles
    from app.services.query_errors import NotThere

    (tmp_path / "evidence").write_text("a file where the directory should be")
    files = EvidenceFiles(tmp_path / "evidence", 1000)
    files.take([{"id": f"{1:016x}", "file": b"x", "packets": 1, "complete": True}])
    with pytest.raises(NotThere, match="writing them failed"):
        files.get(f"{1:016x}")


def test_the_score_adds_up(site):
    document = get(site, "/api/security")
    assert set(document) >= {
        "total_packets", "suspicious_count", "recent_threats", "packet_history", "security_score", "threat_distribution",
    }  # fmt: skip
    assert document["security_score"] == max(0, round(100 - sum(one["penalty"] for one in document["penalties"])))
    assert set(document["packet_history"][0]) == {"timestamp", "src", "dst", "size", "protocol"}
    assert document["not_seen"]["kernel_drops"] == 3
    assert document["suspicious_count"] == len(get(site, "/api/alerts"))


def test_alerts_leave_as_eve_lines(site, tmp_path):
    path = until(lambda: (tmp_path / "eve.json") if (tmp_path / "eve.json").exists() else None)
    wanted = sum(row["severity"] in ("high", "critical") for row in get(site, "/api/alerts"))
    until(lambda: len(path.read_text().splitlines()) >= wanted)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == wanted  # repeats are not said again
    assert {line["event_type"] for line in lines} == {"alert"}
    assert {line["netglass"]["severity"] for line in lines} <= {"high", "critical"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_report_names_what_a_query_does_wrong(site):
    assert site.client.get("/api/security/report?q=severity:high").mimetype == "text/html"
    refused = site.client.get("/api/security/report?q=colour:red")
    assert refused.status_code == 400
    assert refused.json["position"] == 0
