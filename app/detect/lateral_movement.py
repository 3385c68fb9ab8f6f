"""From one Windows machine to the next: programs copied to administrative shares, services and tasks made from afar, tickets for guessing, lists of users."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.rule import Knob, Rule
from app.dpi.facts import Action, Fact
from app.model.alert import Severity

_CAPACITY = 4096
_ADMIN_SHARE = re.compile(r"\\(?:ADMIN|[A-Z])\$\Z", re.IGNORECASE)
_EXECUTABLE = re.compile(r"\.(?:exe|dll|sys|scr|bat|cmd|ps1|vbs|hta|com|pif|msi)\Z", re.IGNORECASE)
_TOOL_PIPES = re.compile(
    r"psexe[cs]|paexec|remcom|csexec|winexe|msse-\d+-server|postex_|status_\w{2}\b|msagent_\w{2}\b|svcctl_|mypipe-[fh]\w{2}",
    re.IGNORECASE,
)
# interface → operations that change something (made services, tasks, programs)
_EXECUTING = {
    "svcctl": (frozenset((12, 24, 19, 31, 44, 45)), "made or started a service"),
    "atsvc": (frozenset((0,)), "made a scheduled task"),
    "taskscheduler": (frozenset((1, 12)), "made a scheduled task"),
    "wmi": (frozenset((24, 25, 6)), "ran a method by WMI"),
    "winreg": (frozenset((22,)), "wrote to the registry"),
    "isystemactivator": (frozenset((4,)), "created an object (DCOM)"),
}
_LISTING = {
    "samr": frozenset((11, 13, 15, 25, 33, 40, 48, 51)),
    "lsarpc": frozenset((13, 14, 15, 57, 68, 76, 77, 11, 35)),
    "srvsvc": frozenset((12, 15, 16, 0, 9, 8)),
    "wkssvc": frozenset((2, 0)),
    "winstation": frozenset((3, 4)),
}
# One of these lists a whole domain's users or groups; clients that log on look up single names
_WHOLE = frozenset(("samr.11", "samr.13", "samr.15", "samr.40", "samr.48", "samr.51"))
_LDAP_HUNT = re.compile(
    r"serviceprincipalname=\*|admincount=1|1\.2\.840\.113556\.1\.4\.803:=(?:4194304|524288|8192|65536|2|32)\b|msds-allowedto(?:delegate|act)|ms-mcs-admpwd|samaccounttype=805306368|samaccounttype=805306369|objectcategory=(?:computer|person|group|user)\)\)?\Z|objectclass=(?:user|computer|group|trusteddomain|organizationalunit)\)\Z|primarygroupid=51[26]|ms-ds-machineaccountquota|msds-groupmsamembership|userpassword=\*|unixuserpassword",
    re.IGNORECASE,
)  # fmt: skip


@dataclass(slots=True)
class _Steps:
    """What one client did to one server within the window."""

    since: int = 0
    admin_share: bool = False
    program: str = ""
    effects: dict[str, int] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)  # of the endpoint mapper
    searches: int = 0
    said: set[str] = field(default_factory=set)
    flows: list[int] = field(default_factory=list)


# Services that run under the account of a machine, whose password nobody can guess: a domain of old machines encrypts all their tickets with RC4
_OF_MACHINES = re.compile(r"(?:krbtgt|host|cifs|ldap|gc|dns|rpcss|rpc|termsrv|wsman|restrictedkrbhost|dfsr-[^/]*|ntfrs-[^/]*|e3514235-[^/]*)(?:/|$)", re.IGNORECASE)  # fmt: skip


class LateralMovement(ConversationDetector):
    """Adds up the steps between two hosts."""

    name = "lateral_movement"
    rules = (
        Rule(
            "lateral_execution",
            "Lateral movement: a program is run on another machine",
            "high",
            "Over SMB or RPC a program was copied to an administrative share, or a service, a task or a program was started on another machine, as PsExec and its relatives do.",
            "Administrators' tools and software distribution do the same, from known machines.",
            "Ask the administrator. If nobody did it, isolate both machines; change the passwords of the user that was used.",
            "T1021.002",
        ),
        Rule(
            "kerberoast",
            "Kerberoasting: tickets asked for with weak encryption",
            "high",
            "A client asked for service tickets, or for a user's ticket without proof of the password, encrypted with RC4, which can be guessed offline.",
            "Old services and trusts that know nothing newer; each client then asks for one of them.",
            "Change the passwords of the services named; forbid RC4.",
            "T1558.003",
        ),
        Rule(
            "dcsync",
            "Credential dump: a client replicates the domain (DCSync)",
            "critical",
            "A client called the operation by which domain controllers copy all password hashes from each other.",
            "Domain controllers among themselves; some synchronisation with a cloud directory.",
            "If the client is no domain controller, treat all passwords of the domain as known.",
            "T1003.006",
        ),
        Rule(
            "recon_ad",
            "Reconnaissance of a domain: users, groups or sessions are listed",
            "medium",
            "A client listed users, groups, shares or sessions by SAMR, LSARPC, SRVSVC or LDAP, as maps of a domain are made.",
            "Administrators' consoles and some log-on scripts list too.",
            "Ask whose client it is; look at what else it did within the hour.",
            "T1087.002",
        ),
        Rule(
            "recon_rpc",
            "Reconnaissance by RPC: the endpoint mapper is asked for everything",
            "medium",
            "A client asked a machine's endpoint mapper or management interface for the list of its services.",
            "Monitoring and inventory systems.",
            "Ask whose client it is.",
            "T1046",
        ),
    )
    knobs = (
        Knob("window", 300, "s", "the steps follow each other within seconds."),
        Knob("lists", 2, "kinds of lists", "or enumerations; a console opens one at a time."),
        Knob("tickets", 2, "services", "asked for with RC4 alone; one may be an old service."),
        Knob("searches", 3, "searches", "of the kinds that only maps of a domain need."),
    )
    facts = (Action,)

    def begin(self) -> None:
        self._steps = self.bounded(_CAPACITY, _Steps)
        self._tickets = self.bounded(_CAPACITY, dict[str, int])

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, Action)
        if fact.protocol not in ("smb", "dcerpc", "kerberos", "ldap"):
            return
        client, server, _ = self.ends()
        if not client:
            return
        if fact.protocol == "kerberos":
            self._kerberos(fact, client, server)
            return
        steps = self._steps[client, server]
        if fact.ts - steps.since > self.knob("window") * SECOND or fact.ts < steps.since:
            self._steps[client, server] = steps = _Steps(since=fact.ts)
        if len(steps.flows) < 20 and fact.flow_id not in steps.flows:
            steps.flows.append(fact.flow_id)
        if fact.protocol == "smb":
            self._file(fact, steps, client, server)
        elif fact.protocol == "dcerpc":
            self._call(fact, steps, client, server)
        elif fact.name == "search":
            self._search(fact, steps, client, server)

    def _file(self, fact: Action, steps: _Steps, client: str, server: str) -> None:
        if fact.name == "tree_connect" and _ADMIN_SHARE.search(fact.subject):
            steps.admin_share = True
        elif fact.name == "open" and _TOOL_PIPES.search(fact.subject):
            self._moved(
                fact,
                steps,
                client,
                server,
                f"{client} opened {fact.subject[:60]} on {server}, the pipe of a tool for remote execution.",
                0.9,
                "pipe",
            )
        elif fact.name == "write_file" and (
            fact.details.get("kind") == "executable" or _EXECUTABLE.search(fact.subject)
        ):
            steps.program = fact.subject or "a program"
            share = " on an administrative share" if steps.admin_share else ""
            weight: Severity = "high" if steps.admin_share else "medium"
            self._moved(
                fact,
                steps,
                client,
                server,
                f"{client} wrote the program {steps.program[:60]} to {server}{share}.",
                0.8 if steps.admin_share else 0.55,
                "write",
                weight,
            )

    def _call(self, fact: Action, steps: _Steps, client: str, server: str) -> None:
        interface, _, operation = fact.subject.partition(".")
        if fact.name == "bind":
            if interface == "mgmt":
                self._tell(
                    "recon_rpc",
                    f"{client} asked {server} for its RPC management interface, which lists what it offers.",
                    fact,
                    steps,
                    client,
                    server,
                    0.5,
                    "mgmt",
                    severity="low",
                )
            return
        if interface == "drsuapi" and operation == "3":
            self._tell(
                "dcsync",
                f"{client} asked {server} to replicate the domain's secrets (DRSGetNCChanges); only domain controllers may.",
                fact,
                steps,
                client,
                server,
                0.7,
                "dcsync",
            )
            return
        executing = _EXECUTING.get(interface)
        if executing and int(operation) in executing[0]:
            steps.effects[executing[1]] = steps.effects.get(executing[1], 0) + 1
            if interface == "winreg":
                return
            how = f", after writing {steps.program[:60]}" if steps.program else ""
            strong = bool(steps.program) or interface in ("svcctl", "atsvc", "taskscheduler")
            self._moved(
                fact,
                steps,
                client,
                server,
                f"{client} {executing[1]} on {server} from afar ({fact.subject}){how}.",
                0.85 if steps.program else 0.7,
                interface,
                "high" if strong else "low" if interface == "isystemactivator" else "medium",
            )
        listing = _LISTING.get(interface)
        if listing and int(operation) in listing:
            steps.lists[fact.subject] = steps.lists.get(fact.subject, 0) + 1
            if len(steps.lists) >= self.knob("lists") or fact.subject in _WHOLE:
                samr = sum(name.startswith("samr") for name in steps.lists)
                severity: Severity = "medium" if samr >= 2 or len(steps.lists) >= 4 else "low"
                self._tell(
                    "recon_ad",
                    f"{client} listed {len(steps.lists)} kinds of things on {server} ({', '.join(sorted(steps.lists)[:6])}); the limit is {self.knob('lists'):.0f}.",
                    fact,
                    steps,
                    client,
                    server,
                    0.6,
                    f"lists-{severity}",
                    severity=severity,
                    measured=len(steps.lists),
                    threshold=self.knob("lists"),
                )
        if interface == "epm":
            asked = fact.details.get("asks_for") or "everything"
            steps.asked[asked] = steps.asked.get(asked, 0) + 1
            if operation == "2" or len(steps.asked) >= 4:
                what = "all its endpoints" if operation == "2" else f"{len(steps.asked)} kinds of endpoints"
                self._tell(
                    "recon_rpc",
                    f"{client} asked the endpoint mapper of {server} for {what}.",
                    fact,
                    steps,
                    client,
                    server,
                    0.6,
                    "epm",
                    severity="medium" if operation == "2" else "low",
                )
            elif sum(steps.asked.values()) >= 10:
                self._tell(
                    "recon_rpc",
                    f"{client} asked the endpoint mapper of {server} {sum(steps.asked.values())} times within {self.knob('window'):.0f} s.",
                    fact,
                    steps,
                    client,
                    server,
                    0.4,
                    "epm-often",
                    severity="low",
                )

    def _search(self, fact: Action, steps: _Steps, client: str, server: str) -> None:
        hunting = _LDAP_HUNT.search(fact.details.get("filter", ""))
        if not hunting or fact.details.get("scope") == "base":
            return
        steps.searches += 1
        named = re.search(
            r"serviceprincipalname=\*|admincount|4194304|ms-mcs-admpwd|msds-allowedto", hunting[0], re.IGNORECASE
        )
        limit = 1 if named else self.knob("searches")
        if steps.searches >= limit:
            self._tell(
                "recon_ad",
                f"{client} searched the directory {server} {steps.searches} times for lists of accounts ({hunting[0][:60]}); the limit is {limit:.0f}.",
                fact,
                steps,
                client,
                server,
                0.65,
                "ldap",
                severity="medium",
                measured=steps.searches,
                threshold=limit,
            )

    def _kerberos(self, fact: Action, client: str, server: str) -> None:
        details = fact.details
        weak = details.get("etype", "").startswith(("rc4", "des"))
        if fact.name == "tgs_rep" and weak and not _OF_MACHINES.match(fact.subject) and not fact.subject.endswith("$"):
            tickets = self._tickets[client]
            if len(tickets) < 64:
                tickets[fact.subject] = fact.ts
            recent = sum(fact.ts - ts <= self.knob("window") * SECOND for ts in tickets.values())
            many = recent >= self.knob("tickets")
            self.alert(
                "kerberoast",
                f"{client} got tickets of {recent} services from {server} with {details['etype']}, the last for {fact.subject[:60]}; the limit is {self.knob('tickets'):.0f}.",
                fact.ts,
                client,
                server,
                confidence=0.8 if many else 0.45,
                severity="high" if many else "low",
                fold=(client, server),
                measured=recent,
                threshold=self.knob("tickets"),
                unit="services",
                protocol="kerberos",
                flow_ids=(fact.flow_id,),
            )
        elif (
            fact.name == "as_rep"
            and details.get("proof") == "no"
            and details.get("reply_etype", "").startswith(("rc4", "des"))
        ):
            self.alert(
                "kerberoast",
                f"{client} got a ticket of the user {details.get('client', '')[:60]} from {server} with {details['reply_etype']} and without proof of the password (AS-REP roasting).",
                fact.ts,
                client,
                server,
                # a realm that knows DES alone asked nobody for proof in its day; tools ask for RC4
                confidence=0.75 if details["reply_etype"].startswith("rc4") else 0.4,
                severity="medium" if details["reply_etype"].startswith("rc4") else "low",
                fold=(client, server, "as-rep"),
                measured=1,
                threshold=0,
                unit="tickets",
                protocol="kerberos",
                flow_ids=(fact.flow_id,),
            )

    def _moved(
        self,
        fact: Action,
        steps: _Steps,
        client: str,
        server: str,
        reason: str,
        confidence: float,
        key: str,
        severity: Severity = "high",
    ) -> None:
        self._tell("lateral_execution", reason, fact, steps, client, server, confidence, key, severity=severity)

    def _tell(
        self,
        rule: str,
        reason: str,
        fact: Action,
        steps: _Steps,
        client: str,
        server: str,
        confidence: float,
        key: str,
        severity: Severity | None = None,
        measured: float | None = None,
        threshold: float | None = None,
    ) -> None:
        if (mark := f"{rule}:{key}") in steps.said:
            return
        steps.said.add(mark)
        self.alert(
            rule,
            reason,
            fact.ts,
            client,
            server,
            confidence=confidence,
            severity=severity,
            measured=measured if measured is not None else 1,
            threshold=threshold if threshold is not None else 0,
            unit="steps",
            protocol=fact.protocol,
            flow_ids=steps.flows,
        )
