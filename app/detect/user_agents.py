"""What programs call themselves in HTTP, SIP and SSH: scanners and attack tools that do not hide, and malware's slips."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from app.detect.conversation import ConversationDetector
from app.detect.rule import Rule
from app.dpi.facts import Action, Fact, HttpTransaction, Recognized
from app.model.alert import Severity

_SCANNERS: Final = re.compile(
    r"nikto|sqlmap|nmap scripting|masscan|zgrab|zmap|dirbuster|gobuster|dirb\b|feroxbuster|wpscan|acunetix|nessus|openvas|w3af|\bhydra\b|havij|arachni|whatweb|wfuzz|fuzz faster|\bffuf\b|nuclei|morfeus|zmeu|"
    r"muieblackcat|jorgee|netsparker|invicti|appscan|webinspect|burp ?suite|burpcollaborator|skipfish|paros|vega/|grabber|joomscan|droopescan|cmsmap|xsstrike|commix|jaeles|dotdotpwn|grendel|golismero|metasploit|"
    r"absinthe|bsqlbf|sqlninja|pangolin|httprint|fimap|uniscan|blackwidow|webshag|whisker|xenu|brutus|ncrack|medusa|patator|censysinspect|shodan|internetmeasurement|expanse|leakix|l9explore|l9tcpid|gvm-|"
    r"odin/|project25499|cgichk|mysqloit|core-project|toata dragostea|security scan|vulnerability scan|probe image size|dfind|httpx - open|katana/|interactsh|tsunamisecurityscanner|detectify",
    re.IGNORECASE,
)  # fmt: skip
_MALWARE: Final = re.compile(
    r"^(?:loader|installer|downloader|getfile|hello|hello,? world|test|agent|user-agent|useragent|ie|internet explorer|mozilla|mozilla/[1-5]\.0|opera|firefox|chrome|http|winhttp|wininet|inetclnt|microsoft internet explorer|"
    r"explorer|update|updater|sample|zoom|win32|dwplayer|nsis_inetc.{0,20}|nsisdl.{0,20}|autoit|autohotkey|vb openurl|vb project|xmlhttp|winhttp sample|rookie/[0-9.]{1,5}|betterinstaller|raccoonstealer|record|gobrut|b|c|qwerty|"
    r"mozilla/5\.0 gecko/20100101|mozilla/4\.0 \(compatible;?\)?|medunja solodunnja.{0,20}|arkei.{0,20}|tesla.{0,20}|ursnif.{0,20}|smokeloader.{0,20}|keitaro|kardon.{0,20}|amadey|go-http-client/1\.1 mirai|mirai|"
    r"hakai.{0,20}|okiru.{0,20}|sora.{0,20}|gemini/2\.0|lmao/2\.0|shaolin.{0,20}|xtc|botnet.{0,20}|ddos.{0,20})$|"
    r"user-agent:|mozzila|mozila/|compatible ;|\bwindowspowershell/|powershell empire|cobaltstrike|meterpreter|\bnjrat|\bpupy\b|\\x00",
    re.IGNORECASE,
)  # fmt: skip
_SIP_SCANNERS: Final = re.compile(
    r"friendly-scanner|sipvicious|sundayddr|sip-scan|sipsak|iwar|smap|sivus|pplsip|vaxsipuseragent|eyebeam release 3006o|gulp|sipcli",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def _judged(agent: str) -> tuple[str, bool]:
    """(the scanner's name in it, whether malware calls itself so); programs send the same one with each request."""
    found = _SCANNERS.search(agent)
    return found[0] if found else "", _MALWARE.search(agent) is not None


class UserAgents(ConversationDetector):
    """Compares each with two short lists."""

    name = "user_agents"
    rules = (
        Rule(
            "web_scan",
            "Web vulnerability scanner, by its user agent",
            "high",
            "A program that looks for weaknesses in web servers gave its own name.",
            "Authorised tests and the owner's own scanner; services that scan the whole internet come to every public server.",
            "Ask whether a test is announced. Look at what the server answered with 200.",
            "T1595.002",
        ),
        Rule(
            "voip_scan",
            "SIP scanner, by its user agent",
            "medium",
            "A program that looks for open telephone systems gave its own name.",
            "Every public SIP server sees them daily; in a local network nobody should run one.",
            "Let only known addresses reach the telephone system.",
            "T1595.002",
        ),
        Rule(
            "suspicious_user_agent",
            "Suspicious user agent",
            "low",
            "The program calls itself by a name that no browser uses but malware is known for, or runs as a shell's script.",
            "Administrators' scripts in PowerShell; small tools of one person.",
            "Find the program that sent the request, and look at what it fetched.",
            "T1071.001",
        ),
    )
    facts = (HttpTransaction, Action, Recognized)

    def on_fact(self, fact: Fact) -> None:
        client, server, _ = self.ends()
        if isinstance(fact, HttpTransaction):
            if fact.user_agent:
                self._http(fact, client, server)
        elif isinstance(fact, Action) and (
            fact.protocol == "sip"
            and fact.sender == 0
            and (found := _SIP_SCANNERS.search(fact.details.get("agent", "")))
        ):
            self._tell(
                "voip_scan",
                "medium",
                0.9,
                f"{client} calls itself {found[0]} towards {server}: a scanner of telephone systems.",
                fact.ts,
                fact.flow_id,
                client,
                server,
                "sip",
            )

    def _http(self, fact: HttpTransaction, client: str, server: str) -> None:
        agent = fact.user_agent or ""
        scanner, malware = _judged(agent)
        if scanner:
            self._tell(
                "web_scan",
                "high",
                0.95,
                f"{client} calls itself {scanner} in a request to {fact.host or server}: a scanner for weaknesses.",
                fact.ts,
                fact.flow_id,
                client,
                server,
                "http",
            )
        elif malware:
            self._tell(
                "suspicious_user_agent",
                "low",
                0.5,
                f"{client} calls itself {agent[:60]!r} in a request to {fact.host or server}; no browser does.",
                fact.ts,
                fact.flow_id,
                client,
                server,
                "http",
            )

    def _tell(
        self,
        rule: str,
        severity: Severity,
        confidence: float,
        reason: str,
        ts: int,
        flow_id: int,
        client: str,
        server: str,
        protocol: str,
    ) -> None:
        count = self.repeats((rule, client, server))
        if not count:
            return
        self.alert(
            rule,
            reason,
            ts,
            client,
            server,
            confidence=confidence,
            severity=severity,
            measured=count,
            threshold=0,
            unit="requests",
            protocol=protocol,
            flow_ids=(flow_id,),
        )
