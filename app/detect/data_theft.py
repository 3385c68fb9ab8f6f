"""Stolen data on its way out by mail, FTP or a chat service, and miners of currency."""

from __future__ import annotations

import re

from app.detect.conversation import ConversationDetector
from app.detect.rule import Rule
from app.dpi.facts import Action, Fact, HttpMessage
from app.model.alert import Severity

# Subjects and file names as keyloggers and password stealers write them (AgentTesla, Hawkeye, Snake, Origin …)
_STOLEN = re.compile(
    r"^(?:PW|KL|SC|CO|CC|EL|KeyLog|Screen|SCREEN|Passwords?|Recovered|Cookies|Clipboard|Keystrokes)_[^ ]{1,60}|"
    r"(?:hawkeye|agent ?tesla|snake keylogger|404 keylogger|origin logger|phoenix keylogger|matiex|predator pain|masslogger|dark ?stealer|vip recovery|lokibot|formbook)|"
    r"\b(?:password|keystroke|keylogger|stealer|clipboard|screenshot|cookie)s?\b.{0,24}\b(?:log|logs|recovered|from|report|record)\b.{0,60}|"
    r"^[\w.-]{1,30}/[\w.-]{1,30} (?:\| )?(?:passwords?|recovered|keystrokes|screen)|"
    r"(?:^|/)(?:PW|KL|SC|CO)_[\w.-]{1,40}[-_][\w.-]{1,40}_\d{4}_\d{2}_\d{2}",
    re.IGNORECASE,
)
_MINING = re.compile(
    rb"\"method\"\s?:\s?\"(?:login|mining\.(?:subscribe|authorize|submit)|eth_submit(?:Login|Work)|getjob|submit)\"|stratum\+tcp"
)


class DataTheft(ConversationDetector):
    """Reads subjects and file names."""

    name = "data_theft"
    rules = (
        Rule(
            "data_exfil",
            "Exfiltration: a stealer's report leaves",
            "high",
            "A mail's subject or a file's name is written as keyloggers and password stealers write their reports.",
            "Tests of security, and administrators' own reports with like names.",
            "Isolate the sender. Change every password that was typed or stored there.",
            "T1048.003",
        ),
        Rule(
            "mining",
            "Mining of crypto currency (stratum)",
            "low",
            "A program speaks the protocol of mining pools.",
            "People who mine on purpose.",
            "Ask whether it is wanted; on a server it is not.",
            "T1496",
        ),
    )
    facts = (Action, HttpMessage)

    def on_fact(self, fact: Fact) -> None:
        client, server, port = self.ends()
        if isinstance(fact, Action):
            if fact.protocol == "smtp" and fact.name == "mail":
                text = f"{fact.subject} {fact.details.get('attachments', '')}".strip()
                if _STOLEN.search(text):
                    self._tell(
                        "data_exfil",
                        "high",
                        0.85,
                        f"{client} sent a mail through {server}:{port} with the subject {fact.subject[:60]!r}, as password stealers write it.",
                        fact,
                        client,
                        server,
                    )
            elif fact.protocol == "ftp" and fact.name in ("stor", "appe", "stou") and _STOLEN.search(fact.subject):
                self._tell(
                    "data_exfil",
                    "high",
                    0.85,
                    f"{client} put a file {fact.subject[:60]!r} on {server}, named as password stealers name theirs.",
                    fact,
                    client,
                    server,
                )
            elif fact.protocol == "stratum" and fact.name == "mining":
                self._tell(
                    "mining",
                    "low",
                    0.9,
                    f"{client} speaks the protocol of mining pools with {server}:{port}.",
                    fact,
                    client,
                    server,
                )
            return
        assert isinstance(fact, HttpMessage)
        if not fact.head.startswith(b"HTTP/") and _MINING.search(fact.body):
            self._tell(
                "mining",
                "low",
                0.8,
                f"{client} speaks the protocol of mining pools over HTTP with {server}:{port}.",
                fact,
                client,
                server,
            )

    def _tell(
        self,
        rule: str,
        severity: Severity,
        confidence: float,
        reason: str,
        fact: Action | HttpMessage,
        client: str,
        server: str,
    ) -> None:
        count = self.repeats((rule, client, server))
        if not count:
            return
        self.alert(
            rule,
            reason,
            fact.ts,
            client,
            server,
            confidence=confidence,
            severity=severity,
            measured=count,
            threshold=0,
            unit="messages",
            flow_ids=(fact.flow_id,),
        )
