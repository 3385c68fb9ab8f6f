"""Programs and scripts fetched by HTTP in ways that software makers do not use: from bare addresses, under a false type, by Java or a script."""

from __future__ import annotations

import re
from typing import Final

from app.detect.conversation import ConversationDetector, is_bare_address, is_local
from app.detect.domains import entropy
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact, HttpMessage
from app.model.alert import Severity

_EXECUTABLE: Final = re.compile(
    rb"MZ.{30,1000}(?:This program|PE\0\0)|MZ[\x90\x50\x00\x80\x60\x78\x93\x40\x6c\x44]|\x7fELF[\x01\x02]|\xca\xfe\xba\xbe\0\0\0[\x2d-\x45]|\xce\xfa\xed\xfe|\xcf\xfa\xed\xfe|dex\n03",
    re.DOTALL,
)
_ARCHIVE: Final = re.compile(rb"PK\x03\x04.{26,200}(?:META-INF/|\.class)", re.DOTALL)
_SCRIPT_BEGINS: Final = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s{0,16}(?:#!\s?/(?:usr/)?bin/|@echo off|<job\b|<hta:application|<\?xml[^>]{0,80}<(?:scriptlet|component)|powershell|\$[a-z_]{1,24}\s?=\s?(?:new-object|\[)|(?:i(?:nvoke-)?e(?:xpression|x))\s|function\s+invoke-|import-module|\[(?:system\.)?(?:net|reflection|convert|text)\.)",
    re.IGNORECASE,
)
_SCRIPT: Final = re.compile(
    rb"createobject\s?\(\s?[\"'](?:wscript\.shell|shell\.application|msxml2|adodb\.stream|microsoft\.xmlhttp)|new activexobject\s?\(\s?[\"'](?:wscript\.shell|shell\.application|msxml2|adodb)|downloadstring\s?\(|downloadfile\s?\(|frombase64string\s?\(|-encodedcommand\s|"
    rb"(?:wget|curl)\s[^\n]{0,120}https?://\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}[^\n]{0,200}(?:chmod|\|\s?sh|;\s?sh)|cd /tmp (?:\|\||&&|;)",
    re.IGNORECASE,
)
# Without one of these (lower case) a text holds nothing of the pattern: most bodies are looked through for them alone. A test compares.
_SCRIPT_HINTS: Final = (b"createobject", b"new activexobject", b"downloadstring", b"downloadfile", b"frombase64string", b"-encodedcommand", b"wget", b"curl", b"cd /tmp ")  # fmt: skip
_OFFICE: Final = re.compile(rb"\A\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\A\{\\rt")
_FALSE_TYPES: Final = re.compile(
    r"^(?:image/|text/(?!plain|x-)|audio/|video/|application/(?:json|xml|javascript|x-javascript|pdf|xhtml)|font/)",
    re.IGNORECASE,
)
_SCRIPTED: Final = re.compile(
    r"powershell|java/1\.|^java/|wget|curl/|python|microsoft bits|certutil|cryptoapi|mshta|winhttp|microsoft office|ms-?office|autoit|nsis|urlmon|^-$",
    re.IGNORECASE,
)
_KNOWN_HOSTS: Final = re.compile(
    r"(?:^|\.)(?:microsoft\.com|windowsupdate\.com|windows\.com|apple\.com|google\.com|gvt1\.com|mozilla\.(?:org|net|com)|adobe\.com|debian\.org|ubuntu\.com|fedoraproject\.org|kernel\.org|oracle\.com|akamai\.net|dropbox\.com|avast\.com|symantec\.com|mcafee\.com|kaspersky\.com|nvidia\.com|intel\.com|steampowered\.com|steamcontent\.com)$",
    re.IGNORECASE,
)
_HIDDEN_FRAME: Final = re.compile(
    rb"<iframe[^>]{0,300}(?:(?:width|height)\s?=\s?[\"']?[01](?:px)?[\"'\s>][^>]{0,200}(?:width|height)\s?=\s?[\"']?[01](?:px)?[\"'\s>/]|(?:visibility\s?:\s?hidden|display\s?:\s?none|left\s?:\s?-\d{3,}|top\s?:\s?-\d{3,}))[^>]{0,300}>",
    re.IGNORECASE,
)
_FRAME_SOURCE: Final = re.compile(rb"src\s?=\s?[\"']?https?://([a-z0-9.-]{4,120})", re.IGNORECASE)
_OBFUSCATED: Final = re.compile(
    rb"(?:eval|document\.write)\s?\(\s?(?:unescape|string\.fromcharcode|atob|function\s?\(p,a,c,k)|(?:%u[0-9a-f]{4}){12,}|(?:\\x[0-9a-f]{2}){60,}|(?:\d{2,3},\s?){80,}|unescape\s?\(\s?[\"'](?:%[0-9a-fu]{2,5}){20,}",
    re.IGNORECASE,
)
_EXPLOIT: Final = re.compile(
    rb"classid\s?=\s?[\"']clsid:(?:CA8A9780|D27CDB6E)[^>]{0,200}(?:width|height)\s?=\s?[\"']?[01]\b|<applet[^>]{0,200}(?:archive|code)\s?=|application/x-java-(?:applet|archive)|<object[^>]{0,200}ms-its:|collab\.collectemailinfo|util\.printf\s?\(",
    re.IGNORECASE,
)


class HttpDownload(ConversationDetector):
    """Looks at the first bytes of responses."""

    name = "http_download"
    rules = (
        Rule(
            "malware_download",
            "Suspicious download of a program",
            "high",
            "A program or script came by plain HTTP in a way in which software is not delivered: from a bare address, under a false content type, from an unusual port, or fetched by a script.",
            "Devices' own updates inside a network; small makers without a domain.",
            "Save the file from the evidence and have it examined. Look at what the client did after it.",
            "T1105",
        ),
        Rule(
            "program_download",
            "Program downloaded without encryption",
            "low",
            "A program came by plain HTTP, where anybody on the way can replace it.",
            "Updates of large makers are signed and come so.",
            "Check the file's signature.",
            "T1105",
        ),
        Rule(
            "suspicious_download",
            "Suspicious download of something that says nothing of itself",
            "low",
            "Bytes without any known beginning, as noise, came by plain HTTP from an address that looks like a page; or content for a plug-in came from another site.",
            "Games, updates and protected films come so.",
            "Look at what was fetched just before and after.",
            "T1027",
        ),
        Rule(
            "drive_by",
            "Drive-by download: a page that attacks the browser",
            "high",
            "A page holds a hidden frame to another site, packed code or an object that attacks old plug-ins; or Java fetched a program.",
            "Advertisement and tracking use hidden frames without packed code.",
            "Look at what the browser fetched right after the page.",
            "T1189",
        ),
    )
    knobs = (
        Knob(
            "signs",
            2,
            "signs",
            "beside the file's kind: bare address, false type, unusual port, a script as client, a name that does not say program.",
        ),
    )
    facts = (HttpMessage,)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, HttpMessage)
        request = fact.request
        if not fact.head.startswith(b"HTTP/") or not fact.body or request is None:
            return
        client, server, port = self.ends()
        host = request.host or ""
        kind = _kind(fact.body)
        if kind:
            self._program(fact, kind, client, server, port, host)
        elif opaque := _opaque(fact, host):
            self._tell(
                "suspicious_download",
                "low",
                0.35,
                f"{client} fetched {opaque} from {host[:60] or server}.",
                fact,
                server,
                client,
                1,
            )
        elif fact.body.lstrip()[:1] == b"<" or b"html" in fact.head[:2048].lower():
            self._page(fact, client, server, host)

    def _program(self, fact: HttpMessage, kind: str, client: str, server: str, port: int, host: str) -> None:
        request = fact.request
        assert request is not None
        agent, kind_of_body = request.user_agent or "", request.content_type or _field(fact.head, b"content-type")
        signs: list[str] = []
        hidden = False  # it is passed off as something else, or nobody's name stands for it
        if not host or is_bare_address(host):
            signs.append("from a bare address")
            hidden = not is_local(server)
        if kind != "script" and _FALSE_TYPES.match(kind_of_body):
            signs.append(f"under the type {kind_of_body[:40]}")
            hidden = True
        if port not in (80, 8080, 3128, 8000):
            signs.append(f"from port {port}")
        if _SCRIPTED.search(agent) or not agent:
            signs.append(f"fetched by {agent[:40]}" if agent else "fetched by a client without a name")
        path = request.uri.partition("?")[0].lower()
        name = path.rpartition("/")[2]
        if kind in ("program", "Java program") and re.search(
            r"\.(?:jpg|jpeg|png|gif|txt|php|css|js|ico|bmp|html?|dat|mp3|asp|aspx|pdf)$", name
        ):
            signs.append(f"named {name[-40:]}")
            hidden = True
        if kind == "script" and not signs:
            return
        java = kind in ("program", "Java program") and re.search(r"java/1\.|^java/", agent, re.IGNORECASE)
        trusted = bool(_KNOWN_HOSTS.search(host.partition(":")[0]))
        what = {
            "program": "a program",
            "Java program": "Java code",
            "script": "a script that loads programs",
            "document": "a document with macros",
        }[kind]
        limit = self.knob("signs")
        severity: Severity = "high" if hidden or not is_local(server) else "low"
        if java and not trusted:
            rule, confidence = "malware_download", 0.85
        elif len(signs) >= limit and not trusted:
            rule, confidence = "malware_download", 0.6 + 0.1 * len(signs)
        elif hidden and not trusted:
            rule, severity, confidence, limit = "malware_download", "medium", 0.5, 1
        elif kind in ("program", "Java program"):
            rule, severity, confidence = "program_download", "low", 0.9
        else:
            return
        why = " and ".join(signs) if signs else "by plain HTTP"
        of_signs = "the limit is one sign of this kind" if limit == 1 else f"the limit is {limit:.0f} signs"
        self._tell(
            rule,
            severity,
            confidence,
            f"{client} fetched {what} ({name[:60] or 'no name'}) from {host[:60] or server} {why}; {of_signs}.",
            fact,
            server,
            client,
            len(signs),
        )

    def _page(self, fact: HttpMessage, client: str, server: str, host: str) -> None:
        body = fact.body
        frame = _HIDDEN_FRAME.search(body)
        source = _FRAME_SOURCE.search(frame[0]) if frame else None
        foreign = (
            source is not None
            and source[1].decode("ascii", "replace").lower().rpartition(":")[0] not in host
            and not host.endswith(".".join(source[1].decode("ascii", "replace").split(".")[-2:]))
        )
        packed = _OBFUSCATED.search(body)
        exploit = _EXPLOIT.search(body)
        signs = [
            text
            for found, text in (
                (frame and foreign, "a hidden frame to another site"),
                (packed, "packed code"),
                (exploit, "an object that attacks plug-ins"),
            )
            if found
        ]
        severity: Severity = "high"
        if len(signs) >= 2:
            confidence = 0.75
        elif exploit and (is_bare_address(host) or packed):
            severity, confidence = "medium", 0.6
        elif signs:
            severity, confidence = "low", 0.4
        else:
            return
        self._tell(
            "drive_by",
            severity,
            confidence,
            f"A page of {host[:60] or server} for {client} holds {' and '.join(signs)}; two of such signs together are an attack.",
            fact,
            server,
            client,
            len(signs),
        )

    def _tell(
        self,
        rule: str,
        severity: Severity,
        confidence: float,
        reason: str,
        fact: HttpMessage,
        server: str,
        client: str,
        signs: int,
    ) -> None:
        count = self.repeats((rule, severity, server, client))
        if not count:
            return
        self.alert(
            rule,
            reason,
            fact.ts,
            server,
            client,
            confidence=confidence,
            severity=severity,
            measured=signs,
            threshold=self.knob("signs"),
            unit="signs",
            protocol="http",
            flow_ids=(fact.flow_id,),
        )


def _kind(body: bytes) -> str:
    """program, Java program, script, document, or nothing."""
    if body[:4] == b"\xca\xfe\xba\xbe" or _ARCHIVE.match(body):
        return "Java program"
    if _EXECUTABLE.match(body):
        return "program"
    text = body[:4096]
    if _SCRIPT_BEGINS.match(text) or (_holds(text.lower(), _SCRIPT_HINTS) and _SCRIPT.search(text)):
        return "script"
    if _OFFICE.match(body) and (b"VBA" in body or b"objdata" in body[:4096]):
        return "document"
    return ""


def _holds(text: bytes, hints: tuple[bytes, ...]) -> bool:
    """Does the text hold one of the hints?"""
    for hint in hints:  # noqa: SIM110 – a generator costs more than the search
        if hint in text:
            return True
    return False


def _opaque(fact: HttpMessage, host: str) -> str:
    """What has no known beginning and looks like noise, or is for a plug-in and from another site than the page before it."""
    request, body = fact.request, fact.body
    assert request is not None
    referrer = (request.referrer or "").partition("://")[2].partition("/")[0].lower()
    foreign = bool(referrer) and referrer.rpartition(".")[0].rpartition(".")[2] not in host.lower()
    if body[:3] in (b"CWS", b"FWS", b"ZWS") and foreign:
        return "content for a plug-in (Flash) of another site"
    coded = _field(fact.head, b"content-encoding")
    kind = (request.content_type or "").lower()
    path = request.uri.partition("?")[0].lower()
    page = path.endswith(("/", ".php", ".asp", ".aspx", ".jsp", ".html")) or "." not in path.rpartition("/")[2]
    if coded or len(body) < 2048 or not page or not ("octet-stream" in kind or "x-msdownload" in kind or not kind):
        return ""
    if (
        body[:2] in (b"\x1f\x8b", b"PK", b"BM", b"\xff\xd8", b"OT", b"7z", b"Ra")
        or body[4:8] == b"ftyp"
        or body[:4] in (b"\x89PNG", b"%PDF", b"RIFF", b"OggS", b"ID3\x03", b"MSCF")
    ):
        return ""
    return (
        "bytes that look like noise from an address without a file's name"
        if entropy(body.decode("latin-1")) > 7.6
        else ""
    )


def _field(head: bytes, name: bytes) -> str:
    found = re.search(rb"(?im)^" + name + rb"[ \t]*:[ \t]*([^\r\n]{0,100})", head)
    return found[1].decode("latin-1") if found else ""
