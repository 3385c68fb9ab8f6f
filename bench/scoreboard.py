"""`python -m bench.scoreboard CAPTURES TRUTH`: what each detector finds, misses and cries about nothing, written to docs/accuracy.md.

CAPTURES: a folder of captures; TRUTH: for each a file NAME.json with `label`: {verdict, attacks: [{kind, attacker, victim, hard}]}. An attack is found when
an alert of a rule that suits its kind names an address of it (where the label has one). A false alarm is an alert of medium severity or more in a harmless capture.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.detect.registry import DETECTORS
from bench.cases import alerts_of, all_cases, judge

PROJECT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = PROJECT / "docs" / "accuracy.md"
BEGIN, END = "<!-- scoreboard -->", "<!-- end of scoreboard -->"
LOUD: Final = frozenset({"medium", "high", "critical"})
AT_ONCE: Final = 20  # captures of one run of analyze
# Kind of attack → words of which a rule's name has one
SUITS: Final[dict[str, str]] = {
    "port_scan": "scan",
    "host_sweep": "sweep|scan",
    "service_scan": "scan|sweep|probe",
    "os_fingerprint": "fingerprint|scan",
    "ip_protocol_scan": "scan",
    "web_scan": "scan|user_agent|web_attack",
    "recon_ad": "recon|lateral",
    "recon_rpc": "recon|lateral",
    "syn_flood": "flood",
    "icmp_flood": "flood|smurf",
    "dhcp_flood": "flood",
    "udp_amplification": "amplification|flood",
    "synack_reflection": "reflection|backscatter|flood",
    "arp_spoof": "arp_spoof|duplicate",
    "rogue_ra": "rogue|ndp",
    "dns_spoof": "spoof",
    "session_hijack": "hijack",
    "sip_spoof": "sip|spoof",
    "toll_fraud": "sip|toll",
    "dns_tunnel": "tunnel|exfil|dga",
    "icmp_tunnel": "tunnel",
    "covert_channel": "covert",
    "tunnel": "tunnel|unusual_port",
    "data_exfil": "exfil|tunnel",
    "c2_beacon": "beacon|c2",
    "c2_http": "c2|user_agent|suspicious",
    "rat_c2": "rat|c2|remote|tls|unusual_port|certificate|suspicious",
    "reverse_shell": "shell|remote|c2",
    "malware_download": "download|malware|exploit",
    "drive_by": "download|malware|exploit",
    "exploit": "exploit",
    "worm": "worm|exploit|sweep",
    "web_attack": "web_attack|exploit",
    "ftp_bounce": "bounce|exploit",
    "kerberoast": "roast|lateral",
    "lateral_movement": "lateral",
    "brute_force": "brute|spray|guess",
    "password_spray": "brute|spray|guess",
    "cleartext_credentials": "credentials",
    "cardholder_data": "card",
}


@dataclass(slots=True)
class Score:
    """One kind of attack."""

    found: int = 0
    missed: int = 0
    hard_found: int = 0
    hard_missed: int = 0
    by: set[str] = field(default_factory=set)


def documents(captures: list[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, document of analyze) of each capture that can be read."""
    for start in range(0, len(captures), AT_ONCE):
        part = captures[start : start + AT_ONCE]
        command = [sys.executable, "-m", "app", "analyze", "--json", *map(str, part)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        for path, line in zip(part, done.stdout.splitlines(), strict=False):
            yield path.name, json.loads(line)


def names_in(text: str) -> set[str]:
    return set(
        re.findall(r"\d+\.\d+\.\d+\.\d+|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|[0-9a-f]*:[0-9a-f:]*::?[0-9a-f:]+", text.lower())
    )


def finds(attack: dict[str, Any], alerts: list[dict[str, Any]], ends: dict[str, str]) -> list[str]:
    """Rules of the alerts that find an attack."""
    wanted = names_in(f"{attack['attacker']} {attack['victim']}")
    pattern = SUITS.get(attack["kind"], attack["kind"])
    found = []
    for alert in alerts:
        text = json.dumps(alert) + " ".join(ends.get(str(flow), "") for flow in alert["flow_ids"])
        if re.search(pattern, alert["rule"]) and (not wanted or wanted & names_in(text)):
            found.append(alert["rule"])
    return found


class Board:
    """Counts over all captures."""

    def __init__(self) -> None:
        self.kinds: dict[str, Score] = defaultdict(Score)
        self.right: dict[str, int] = defaultdict(int)  # rule → attacks it found
        self.false: dict[str, int] = defaultdict(int)  # rule → false alarms
        self.harmless = self.crying = 0

    def add(self, name: str, label: dict[str, Any], document: dict[str, Any]) -> None:
        alerts = document.get("alerts") or []
        ends = {flow["flow_id"]: f" {flow['src_ip']} {flow['dst_ip']} " for flow in document.get("flows") or []}
        for attack in label.get("attacks", []):
            score, rules = self.kinds[attack["kind"]], finds(attack, alerts, ends)
            score.by.update(rules)
            if attack.get("hard"):
                score.hard_found, score.hard_missed = score.hard_found + bool(rules), score.hard_missed + (not rules)
            else:
                score.found, score.missed = score.found + bool(rules), score.missed + (not rules)
            for rule in set(rules):
                self.right[rule] += 1
        if not label.get("attacks") and (label.get("verdict") == "benign" or name.startswith("benign-")):
            loud = [alert["rule"] for alert in alerts if alert["severity"] in LOUD]
            self.harmless += 1
            self.crying += bool(loud)
            for rule in loud:
                self.false[rule] += 1

    def page(self) -> str:
        """Markdown."""
        found, missed = (sum(getattr(score, name) for score in self.kinds.values()) for name in ("found", "missed"))
        hard = sum(score.hard_found for score in self.kinds.values())
        all_hard = hard + sum(score.hard_missed for score in self.kinds.values())
        lines = [
            f"Of {found + missed} labelled attacks {found} are found, of {all_hard} hard ones {hard}; {self.crying} of {self.harmless} harmless captures have a false alarm",
            "(medium severity or more). The captures were at hand while the limits were chosen, so other traffic will do worse.",
            "",
            "| kind of attack | found | missed | found by |",
            "|---|---|---|---|",
        ]
        for kind, score in sorted(self.kinds.items()):
            by = ", ".join(f"`{rule}`" for rule in sorted(score.by)) or "–"
            lines.append(
                f"| {kind.replace('_', ' ')} | {score.found + score.hard_found} | {score.missed + score.hard_missed} | {by} |"
            )
        lines += [
            "",
            "| detector | attacks found | false alarms | no attack of its kind among the captures |",
            "|---|---|---|---|",
        ]
        for detector in DETECTORS:
            names = [rule.name for rule in detector.rules]
            right, false = sum(self.right[name] for name in names), sum(self.false[name] for name in names)
            silent = [name for name in names if not self.right[name]]
            lines.append(f"| {detector.name} | {right} | {false} | {', '.join(silent) or '–'} |")
        return "\n".join(lines) + "\n"


def generated() -> str:
    """Markdown: what is said of the generated cases."""
    attacks, harmless, wrong = 0, 0, []
    for case in all_cases():
        problem = judge(case, alerts_of(case))
        attacks, harmless = attacks + bool(case.rules), harmless + (not case.rules)
        if problem is not None:
            wrong.append(f"- {case.name}: {problem}")
    lines = [
        "",
        f"Beside them run {attacks + harmless} generated cases (`python -m bench.cases`): {attacks} attacks (scans, sweeps, floods, amplification, tunnels, beacons, guessing,",
        f"spoofing; quick and slow, over IPv4, IPv6 and VLANs) and {harmless} kinds of harmless traffic that look like them (content networks, backup, clocks, monitors, load",
        "balancers, resolvers, mail servers, peer-to-peer, calls, devices, captures of one direction). They were made with the limits in view. "
        + (f"{len(wrong)} are judged wrong:" if wrong else "All are judged as they should be."),
        *wrong,
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scoreboard", description=__doc__)
    parser.add_argument("captures", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--documents", type=Path, help="lines of analyze --json made before, in place of running it")
    given = parser.parse_args(arguments)
    labels = {path.name[:-5]: json.loads(path.read_text()).get("label") or {} for path in given.truth.glob("*.json")}
    if not labels:
        print(f"no labels in {given.truth}", file=sys.stderr)
        return 1
    board = Board()
    if given.documents:
        held = [json.loads(line) for line in given.documents.read_text().splitlines()]
        made: Iterator[tuple[str, dict[str, Any]]] = ((Path(one["capture"]["file"]).name, one) for one in held)
    else:
        made = documents(sorted(path for path in given.captures.iterdir() if path.name in labels))
    for name, document in made:
        board.add(name, labels.get(name, {}), document)
    report = board.page() + generated()
    page = PAGE.read_text()
    if BEGIN not in page:
        page += f"\n## Detectors\n\n{BEGIN}\n{END}\n"
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{report}{END}{rest.partition(END)[2]}")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
