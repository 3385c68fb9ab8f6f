"""Abuse of telephone systems by SIP: calls at somebody else's cost, searches for extensions, messages in another's name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector, Window, is_local, worth_saying
from app.detect.rule import Knob, Rule
from app.dpi.facts import Action, Fact

_CAPACITY = 4096
_PREFIXED = re.compile(r"^(?:9{0,4}0{0,2}(?:011|00)|\+)\d{8,}$")


@dataclass(slots=True)
class _Calls:
    window: Window = field(default_factory=Window)
    numbers: dict[str, int] = field(default_factory=dict)
    refused: int = 0


@dataclass(slots=True)
class _Dialogue:
    """Who takes part in a call."""

    ends: set[str] = field(default_factory=set)
    agent: str = ""


class TelephoneAbuse(ConversationDetector):
    """Follows calls and registrations."""

    name = "telephone_abuse"
    rules = (
        Rule(
            "toll_fraud",
            "Toll fraud: calls to far numbers by SIP",
            "high",
            "A host asks a telephone system to call many far numbers, or one number with many prefixes, to find one that costs its owner money.",
            "Call centres call many numbers, each once and with success.",
            "Bar foreign numbers and unknown callers. Look at the bill.",
            "T1496",
        ),
        Rule(
            "sip_spoof",
            "SIP message in another's name (spoofing)",
            "high",
            "A message about a call or registration came from a host that has no part in it.",
            "Proxies on the way and phones with two addresses.",
            "Let only known proxies send; use TLS and digests for all methods.",
            "T1565.002",
        ),
        Rule(
            "sip_enumeration",
            "SIP scan: extensions are guessed",
            "medium",
            "One host asked a telephone system for many different users.",
            "A trunk registers a few; a proxy for many phones is known to the administrator.",
            "Block the host; give the same answer for unknown users and wrong passwords.",
            "T1087",
        ),
    )
    knobs = (
        Knob("window", 300, "s", "dialling programs try several numbers a minute."),
        Knob("numbers", 5, "numbers", "refused or far ones within the window."),
        Knob("users", 10, "users", "asked for by REGISTER or OPTIONS within the window."),
    )
    facts = (Action,)

    def begin(self) -> None:
        self._calls = self.bounded(_CAPACITY, _Calls)
        self._users = self.bounded(_CAPACITY, _Calls)
        self._dialogues = self.bounded(_CAPACITY, _Dialogue)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, Action)
        if fact.protocol != "sip":
            return
        client, server, _ = self.ends()
        if not client:
            return
        sender, receiver = (client, server) if fact.sender == 0 else (server, client)
        if fact.name == "invite":
            self._invite(fact, sender, receiver)
        elif fact.name in ("register", "options", "subscribe"):
            self._user(fact, sender, receiver)
        elif (
            fact.name == "response"
            and fact.details.get("method") == "INVITE"
            and fact.details.get("status", "")[:1] in ("4", "5", "6")
        ) and fact.details["status"] not in ("401", "407", "487"):
            self._calls[receiver, sender].refused += 1
        self._dialogue(fact, sender, receiver)

    def _invite(self, fact: Action, sender: str, receiver: str) -> None:
        number = fact.details.get("to", "").partition("@")[0].lstrip("+")
        if not number.isdigit():
            return
        calls = self._calls[sender, receiver]
        count = calls.window.add(fact.ts, int(self.knob("window") * SECOND))
        if count == 1:
            calls.numbers.clear()
            calls.refused = 0
        if len(calls.numbers) < 256:
            calls.numbers.setdefault(number, fact.ts)
        far = [one for one in calls.numbers if _PREFIXED.match(one) or len(one) >= 11]
        tails = {one[-9:] for one in far}
        prefixes = len(far) >= self.knob("numbers") and len(tails) <= len(far) / 2
        many = len(far) >= self.knob("numbers") and (
            calls.refused >= 3 or not is_local(sender) or len(far) >= 4 * self.knob("numbers")
        )
        first = len(far) >= 1 and _PREFIXED.match(number) is not None and not is_local(sender) and is_local(receiver)
        if not (prefixes or many or first) or not worth_saying(
            calls.window, len(far), 1 if first else self.knob("numbers")
        ):
            return
        what = f"one number with {len(far)} prefixes" if prefixes else f"{len(far)} far numbers"
        self.alert(
            "toll_fraud",
            f"{sender} asked {receiver} to call {what} within {calls.window.span_s:.0f} s, {calls.refused} refused; the limit is {self.knob('numbers'):.0f}.",
            fact.ts,
            sender,
            receiver,
            confidence=0.8 if prefixes or many else 0.5,
            severity="high" if prefixes or many else "medium",
            measured=len(far),
            threshold=self.knob("numbers"),
            unit="numbers",
            protocol="sip",
            flow_ids=(fact.flow_id,),
        )

    def _user(self, fact: Action, sender: str, receiver: str) -> None:
        users = self._users[sender, receiver]
        count = users.window.add(fact.ts, int(self.knob("window") * SECOND))
        if count == 1:
            users.numbers.clear()
        if len(users.numbers) < 512:
            users.numbers[fact.details.get("to", "")] = fact.ts
        if worth_saying(users.window, len(users.numbers), self.knob("users")):
            self.alert(
                "sip_enumeration",
                f"{sender} asked {receiver} for {len(users.numbers)} different users within {users.window.span_s:.0f} s; the limit is {self.knob('users'):.0f}.",
                fact.ts,
                sender,
                receiver,
                confidence=0.75,
                measured=len(users.numbers),
                threshold=self.knob("users"),
                unit="users",
                protocol="sip",
                flow_ids=(fact.flow_id,),
            )

    def _dialogue(self, fact: Action, sender: str, receiver: str) -> None:
        call = fact.details.get("call_id", "")
        if not call:
            return
        known = self._dialogues.get(call)
        if known is None:
            if fact.name in ("invite", "register", "subscribe"):
                self._dialogues[call] = _Dialogue({sender, receiver}, fact.details.get("agent", ""))
            return
        if fact.name not in ("bye", "cancel", "invite", "register", "refer"):
            if sender in known.ends or receiver in known.ends:
                known.ends |= {sender, receiver}
            return
        if sender in known.ends:
            known.ends.add(receiver)
            return
        agent = fact.details.get("agent", "")
        other = bool(agent and known.agent and agent != known.agent)
        if receiver not in known.ends and not other:
            known.ends |= {sender, receiver}  # the next hop of a proxy
            return
        self.alert(
            "sip_spoof",
            f"{sender} sent {receiver} a {fact.name.upper()} for a call in which it has no part (so far: {', '.join(sorted(known.ends)[:4])}).",
            fact.ts,
            sender,
            receiver,
            confidence=0.7 if other else 0.55,
            severity="high" if other else "medium",
            measured=len(known.ends) + 1,
            threshold=len(known.ends),
            unit="hosts",
            protocol="sip",
            flow_ids=(fact.flow_id,),
        )
