"""Guessing of passwords in web forms: the same login form sent again and again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector, Window, worth_saying
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact, HttpMessage, HttpTransaction

_CAPACITY = 2048
PASSWORD = re.compile(
    rb"(?:^|[&?\"\s;{,])\"?(?:[a-z0-9_.\[-]{0,23}[_.\[\]-]|user|login|log|my|new|old|txt|admin|your|web|input|edit|auth)?"
    rb"(?:password|passwort|passwd|password_?hash|pwd|pass|kennwort|contrasena|senha|passw|psw)(?:[_.-][a-z0-9]{1,12}|[0-9])?\]?"
    rb"\"?\s{0,2}[=:]\s{0,2}\"?([^&\"\s]{1,200})",
    re.IGNORECASE,
)
USER = re.compile(rb"(?:^|[&?\"\s;{,])\"?(?:[a-z_.\[-]{0,24}?(?:user(?:_?name)?|login|log|email|e-?mail|account|uname|uid|usr)\]?)\"?\s{0,2}[=:]\s{0,2}\"?([^&\"\s]{1,80})", re.IGNORECASE)  # fmt: skip

_PASSWORD_HINTS = (b"pass", b"pwd", b"kennwort", b"contrasena", b"senha", b"psw")  # each password's name holds one


def password_in(text: bytes) -> re.Match[bytes] | None:
    """The first password of a form, with its value as the only group."""
    lower = text.lower()
    for hint in _PASSWORD_HINTS:
        if hint in lower:
            return PASSWORD.search(text)
    return None


def target_of(head: bytes) -> bytes:
    """What the first line of a request asks for; empty where it is cut."""
    words = head.split(b" ", 2)
    return words[1] if len(words) == 3 else b""


@dataclass(slots=True)
class _Forms:
    window: Window = field(default_factory=Window)
    passwords: set[int] = field(default_factory=set)  # salted hashes, for this run only
    flows: list[int] = field(default_factory=list)
    slow: Window = field(default_factory=Window)
    slow_passwords: set[int] = field(default_factory=set)


class FormGuessing(ConversationDetector):
    """Counts forms with a password to the same place."""

    name = "form_guessing"
    rules = (
        Rule(
            "brute_force_form",
            "Brute force of a web login",
            "high",
            "One client sent a login form to the same address many times within a short time.",
            "Pages that log in again with each request use the same password each time.",
            "Look at the application's log. Limit the rate of logins, and lock the client out.",
            "T1110.001",
        ),
    )
    knobs = (
        Knob("window", 60, "s", "tools send several forms a second."),
        Knob("forms", 8, "forms", "a person needs more than seven seconds for each."),
        Knob("slow_window", 3600, "s", "patient ones send one a minute."),
        Knob(
            "slow_forms",
            15,
            "forms",
            "with as many different passwords within the slow window; a person asks for a new one before that.",
        ),
        Knob(
            "refused",
            15,
            "answers 401",
            "within the window without one that agrees; a browser's handshake takes one or two.",
        ),
        Knob(
            "passwords", 4, "different passwords", "programs that repeat one password are misconfigured, not guessing."
        ),
    )
    facts = (HttpMessage, HttpTransaction)

    def begin(self) -> None:
        self._forms = self.bounded(_CAPACITY, _Forms)
        self._refusals = self.bounded(_CAPACITY, _Forms)

    def on_fact(self, fact: Fact) -> None:
        if isinstance(fact, HttpTransaction):
            self._refused(fact)
            return
        assert isinstance(fact, HttpMessage)
        if fact.request is None or fact.head.startswith(b"HTTP/"):
            return
        target = target_of(fact.head)
        text = fact.body if fact.request.method == "POST" else target.partition(b"?")[2]
        found = password_in(text[:4096]) if text else None
        xmlrpc = (
            fact.request.method == "POST" and target.startswith((b"/xmlrpc.php",)) and b"getUsersBlogs" in fact.body
        )
        if found is None and not xmlrpc:
            return
        client, server, _ = self.ends()
        path = target.partition(b"?")[0][:128]
        entry = self._forms[client, server, path]
        count = entry.window.add(fact.ts, int(self.knob("window") * SECOND))
        if count == 1:
            entry.passwords.clear()
            entry.flows.clear()
        if len(entry.passwords) < 64:
            entry.passwords.add(hash(found[1] if found else fact.body))
        if len(entry.flows) < 20 and fact.flow_id not in entry.flows:
            entry.flows.append(fact.flow_id)
        self._slowly(fact, entry, client, server, path, hash(found[1] if found else fact.body))
        if len(entry.passwords) >= self.knob("passwords") and worth_saying(entry.window, count, self.knob("forms")):
            self.alert(
                "brute_force_form",
                f"{client} sent {count} logins with different passwords to {path.decode('ascii', 'replace')} on {server} within {entry.window.span_s:.0f} s; the limit is {self.knob('forms'):.0f}.",
                fact.ts,
                client,
                server,
                confidence=0.8,
                fold=(client, server, path),
                measured=count,
                threshold=self.knob("forms"),
                unit="logins",
                protocol="http",
                flow_ids=entry.flows,
            )

    def _slowly(self, fact: HttpMessage, entry: _Forms, client: str, server: str, path: bytes, password: int) -> None:
        """Too slow for the short window, but each time another password."""
        count = entry.slow.add(fact.ts, int(self.knob("slow_window") * SECOND), 100)
        if count == 1:
            entry.slow_passwords.clear()
            entry.slow.said = 0
        if len(entry.slow_passwords) < 128:
            entry.slow_passwords.add(password)
        limit = self.knob("slow_forms")
        quick = entry.slow.span_s * self.knob("forms") < self.knob("window") * count
        if quick or len(entry.slow_passwords) < limit or not worth_saying(entry.slow, count, limit):
            return
        self.alert(
            "brute_force_form",
            f"{client} sent {count} logins with {len(entry.slow_passwords)} different passwords to {path.decode('ascii', 'replace')} on {server}, "
            f"one in {entry.slow.span_s / max(count - 1, 1):.0f} s; the limit is {limit:.0f} within {self.knob('slow_window') / 3600:.0f} h.",
            fact.ts,
            client,
            server,
            severity="medium",
            confidence=0.7,
            fold=(client, server, path),
            measured=count,
            threshold=limit,
            unit="logins",
            protocol="http",
            flow_ids=entry.flows,
        )

    def _refused(self, fact: HttpTransaction) -> None:
        """Digest and NTLM logins, whose names are not read: refused again and again, never agreed to."""
        if fact.status is None or fact.username is not None:
            return  # basic authentication is counted by user
        client, server, _ = self.ends()
        if fact.status != 401:
            if fact.status < 400 and (known := self._refusals.get((client, server))) is not None:
                known.window.times.clear()
            return
        entry = self._refusals[client, server]
        count = entry.window.add(fact.ts, int(self.knob("window") * SECOND))
        if len(entry.flows) < 20 and fact.flow_id not in entry.flows:
            entry.flows.append(fact.flow_id)
        if worth_saying(entry.window, count, self.knob("refused")):
            self.alert(
                "brute_force_form",
                f"{server} refused {count} requests of {client} for want of a login within {entry.window.span_s:.0f} s "
                f"and agreed to none; the limit is {self.knob('refused'):.0f}.",
                fact.ts,
                client,
                server,
                confidence=0.6,
                severity="medium",
                fold=(client, server, "401"),
                measured=count,
                threshold=self.knob("refused"),
                unit="answers 401",
                protocol="http",
                flow_ids=entry.flows,
            )
