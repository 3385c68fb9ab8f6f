"""The security score, 0 to 100, with its arithmetic: 100 less a penalty for each rule that has open alerts.

An alert counts severity weight × confidence, halved for each `HALF_LIFE_HOURS` since it was last seen, and half of that once somebody has acknowledged it. A
false positive or a muted one counts nothing. The alerts of one rule together count at most `MOST_PER_RULE` times their heaviest one, so that one noisy
rule does not hide the others. The score says how loud the alerts are, not how safe the network is: what was not seen is said beside it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from app.model.timestamps import parse_time
from app.services.alert_book import AlertBook, is_open, judged
from app.services.mirror import Mirror
from app.services.packets import packet_dicts

WEIGHTS: Final = {"critical": 40.0, "high": 20.0, "medium": 8.0, "low": 1.5}
HALF_LIFE_HOURS: Final = 6.0
ACKNOWLEDGED: Final = 0.5
MOST_PER_RULE: Final = 2.0
RECENT: Final = 20
HISTORY: Final = 100
_HOUR_NS: Final = 3_600_000_000_000
ARITHMETIC: Final = (
    f"100 − the sum over rules. An alert counts its severity ({', '.join(f'{name} {weight:g}' for name, weight in WEIGHTS.items())}) × its confidence, halved"
    f" every {HALF_LIFE_HOURS:g} hours since it was last seen, × {ACKNOWLEDGED:g} once acknowledged; false positives and muted alerts count nothing; a rule counts at most"
    f" {MOST_PER_RULE:g} × its heaviest alert."
)


def penalty(document: dict[str, Any], now_ns: int) -> float:
    """What one alert takes off."""
    if not is_open(document):
        return 0.0
    hours = max(now_ns - parse_time(document["last_seen"]), 0) / _HOUR_NS
    share = ACKNOWLEDGED if document["status"] == "acknowledged" else 1.0
    confidence = min(max(float(document["confidence"] or 0.0), 0.0), 1.0)
    return float(WEIGHTS[document["severity"]] * confidence * share * 0.5 ** (hours / HALF_LIFE_HOURS))


def score(documents: list[dict[str, Any]], now_ns: int) -> dict[str, Any]:
    """`{security_score, penalties: [{rule, severity, alerts, penalty}]}`, the heaviest penalty first."""
    by_rule: dict[str, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for document in documents:
        taken = penalty(document, now_ns)
        if taken > 0:
            by_rule[document["rule"]].append((taken, document))
    penalties = []
    for rule, alerts in by_rule.items():
        heaviest, document = max(alerts, key=lambda one: one[0])
        total = min(sum(taken for taken, _ in alerts), MOST_PER_RULE * heaviest)
        penalties.append(
            {"rule": rule, "severity": document["severity"], "alerts": len(alerts), "penalty": round(total, 2)}
        )
    penalties.sort(key=lambda one: -float(str(one["penalty"])))
    left = 100.0 - sum(float(str(one["penalty"])) for one in penalties)
    return {"security_score": round(min(max(left, 0.0), 100.0)), "penalties": penalties, "arithmetic": ARITHMETIC}


def security(mirror: Mirror, book: AlertBook) -> dict[str, Any]:
    """The seed's document, with the score's arithmetic and what the score could not rest on."""
    inputs = book.inputs()
    documents = [fact.document for fact in judged(inputs)]
    shown = [one for one in documents if is_open(one)]
    threats: dict[str, int] = defaultdict(int)
    for document in shown:
        threats[document["rule"]] += document["count"]
    packets = packet_dicts(mirror.packets()[-HISTORY:][::-1], inputs.interfaces)
    totals, losses, insight = mirror.part("totals"), mirror.part("losses"), mirror.part("insight")
    not_seen = {name: losses.get(name) or 0 for name in ("kernel_drops", "flows_evicted")}
    not_seen["payload_bytes_skipped"] = insight.get("bytes_skipped") or 0
    not_seen["detector_state_lost"] = _number(mirror.part("detection").get("state_lost"))
    not_seen["undecoded"] = sum((losses.get("undecoded") or {}).values())
    seen = bool(totals.get("packets"))
    return {
        "total_packets": totals.get("packets") or 0,
        "suspicious_count": len(shown),
        "recent_threats": shown[:RECENT],
        "packet_history": [
            {
                "timestamp": packet["timestamp"],
                "src": packet["src_ip"],
                "dst": packet["dst_ip"],
                "size": packet["size"],
                "protocol": packet["protocol"],
            }
            for packet in packets
        ],
        **(
            score(documents, mirror.now_ns)
            if seen
            else {"security_score": None, "penalties": [], "arithmetic": ARITHMETIC}
        ),
        "threat_distribution": dict(sorted(threats.items(), key=lambda item: -item[1])),
        "not_seen": {name: count for name, count in not_seen.items() if count},
        "verdict": _verdict(seen, shown, any(not_seen.values())),
    }


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _verdict(seen: bool, shown: list[dict[str, Any]], lost: bool) -> str:
    """One sentence that claims no more than was seen."""
    if not seen:
        return "No packets have been seen, so nothing can be said."
    if shown:
        return f"{len(shown)} open alert{'s' if len(shown) != 1 else ''}."
    return (
        "Nothing suspicious in what was seen, but not everything was seen." if lost else "Nothing suspicious was seen."
    )
