"""Which entropy is expected where: one table, what is learnt within it, and the rules that compare a sample with it. Pure: no clock, no I/O.

A row of the table is found by what is spoken (as inspectors or nDPI say it) before it is found by the responder's port.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from app.model.entropy import ENCRYPTED, TEXT

PLAIN, SEALED, MIXED = "plain", "encrypted", "anything"
LEAST_BYTES: Final = 512  # of a direction, before an expectation is held against it
LEAST_GENUINE: Final = 2048  # … where the protocol is what it should be
LEAST_TEXT: Final = 256  # … where text is not expected
RANDOM_BITS: Final = 7.5  # lower end of the interval above which bytes are random to a protocol that has none
TEXT_RISE: Final = (
    0.48  # share of text in the window; 97 of 256 random bytes are text, a quarter of text among them makes this
)
MOST_LEARNT: Final = 512  # pairs of transport and port
LEARNT_LEAST: Final = 20  # flows before a learnt range holds
LEARNT_WIDTH: Final = 1.0  # bits to either side of the mean, at least
DEVIATIONS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """One row: names that are spoken, ports, and what their payload looks like over a flow, bits per byte."""

    name: str
    kind: str  # PLAIN, SEALED or MIXED
    low: float
    high: float
    spoken: tuple[str, ...] = ()
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()


# Sealed protocols begin with a handshake in the clear, so their lower bound is that of the handshake; what is sealed is told by the verdict.
EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "TLS",
        SEALED,
        3.0,
        8.0,
        ("tls", "ssl", "https", "dtls", "doh_dot", "imaps", "pops", "smtps", "ldaps", "ftps"),
        (443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 6697, 8443, 8883),
        (853,),
    ),
    Expectation("QUIC", SEALED, 3.0, 8.0, ("quic", "gquic"), (), (443,)),
    Expectation("SSH", SEALED, 3.0, 8.0, ("ssh",), (22,)),
    Expectation("WireGuard", SEALED, 2.0, 8.0, ("wireguard",), (), (51820,)),
    Expectation("OpenVPN", SEALED, 3.0, 8.0, ("openvpn",), (1194,), (1194,)),
    Expectation("IPsec", SEALED, 2.0, 8.0, ("ipsec", "isakmp"), (), (500, 4500)),
    Expectation("DNS", PLAIN, 1.0, 7.4, ("dns", "mdns", "llmnr"), (53,), (53, 5353, 5355)),
    Expectation("NetBIOS", PLAIN, 0.5, 7.0, ("netbios",), (), (137, 138)),
    Expectation("DHCP", PLAIN, 0.1, 6.5, ("dhcp", "dhcpv6"), (), (67, 68, 546, 547)),
    Expectation("NTP", PLAIN, 0.5, 7.4, ("ntp",), (), (123,)),
    Expectation("Syslog", PLAIN, 2.5, 6.5, ("syslog",), (514,), (514,)),
    Expectation("SSDP", PLAIN, 3.0, 6.5, ("ssdp", "upnp"), (), (1900, 3702)),
    Expectation("FTP control", PLAIN, 2.0, 6.5, ("ftp", "ftp_control"), (21,)),
    Expectation("Telnet", PLAIN, 0.5, 7.0, ("telnet",), (23,)),
    Expectation("IRC", PLAIN, 2.0, 6.8, ("irc",), (6667,)),
    Expectation("SIP", PLAIN, 3.0, 6.8, ("sip",), (5060,), (5060,)),
    Expectation("HTTP", MIXED, 2.0, 8.0, ("http", "http2", "http_proxy", "websocket", "hls"), (80, 8080, 3128)),
    Expectation("Mail", MIXED, 2.0, 8.0, ("smtp", "imap", "pop3", "pop"), (25, 110, 143, 587)),
    Expectation("Files", MIXED, 0.0, 8.0, ("smb", "smbv1", "smbv23", "nfs", "ftp_data", "tftp"), (20, 445, 139, 2049), (69,)),
    Expectation("Databases", MIXED, 0.0, 8.0, ("mysql", "postgresql", "redis", "mongodb", "memcached"), (3306, 5432, 6379, 27017, 11211)),
    Expectation("Directories", MIXED, 0.5, 8.0, ("ldap", "kerberos"), (389, 88, 3268), (389, 88)),
    Expectation("Screens", MIXED, 0.0, 8.0, ("rdp", "vnc", "rfb"), (3389, 5900)),
    Expectation("Sound and pictures", MIXED, 0.0, 8.0, ("rtp", "srtp", "rtcp", "rtsp", "stun", "turn", "rtmp", "zoom", "teams", "skype_teams")),
    Expectation("Peers", MIXED, 0.0, 8.0, ("bittorrent", "edonkey", "gnutella", "tor", "skype", "syncthing")),
    Expectation("Others", MIXED, 0.0, 8.0, ("socks", "mqtt", "amqp", "dcerpc", "snmp", "radius", "whatsapp", "git"), (135, 1883, 9418), (161, 162, 1812)),
)  # fmt: skip

_BY_NAME: Final = {name: row for row in EXPECTATIONS for name in row.spoken}
_BY_PORT: Final = {
    **{(6, port): row for row in EXPECTATIONS for port in row.tcp},
    **{(17, port): row for row in EXPECTATIONS for port in row.udp},
}


def expectation(protocol: int, port: int, spoken: str | None) -> Expectation | None:
    """The row for an IP protocol number, the responder's port and what is spoken; None: nothing is declared."""
    if spoken:
        found = _BY_NAME.get(spoken.lower())
        if found is not None:
            return found
    return _BY_PORT.get((protocol, port))


class LearntRanges:
    """Mean and spread of whole flows by transport and port; a range holds after LEARNT_LEAST flows. The pair that was asked for longest ago goes first."""

    def __init__(self, most: int = MOST_LEARNT) -> None:
        self._most = most
        self._seen: OrderedDict[tuple[int, int], tuple[int, float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def learn(self, protocol: int, port: int, value: float) -> None:
        """One flow's corrected entropy (Welford's running variance)."""
        if not math.isfinite(value):
            return
        count, mean, squares = self._seen.pop((protocol, port), (0, 0.0, 0.0))
        count += 1
        step = value - mean
        mean += step / count
        self._seen[(protocol, port)] = (count, mean, squares + step * (value - mean))
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def range(self, protocol: int, port: int) -> tuple[float, float] | None:
        """(low, high), or None while too little was seen."""
        count, mean, squares = self._seen.get((protocol, port), (0, 0.0, 0.0))
        if count < LEARNT_LEAST:
            return None
        width = max(LEARNT_WIDTH, DEVIATIONS * math.sqrt(squares / count))
        return max(mean - width, 0.0), min(mean + width, 8.0)


def expected_range(row: Expectation | None, learnt: tuple[float, float] | None) -> tuple[float, float] | None:
    """What is learnt, within the declared bounds; what is declared, where nothing is learnt or it lies outside."""
    if row is None:
        return learnt
    if learnt is None or row.kind == SEALED:  # the declared lower bound is the handshake's
        return row.low, row.high
    low, high = max(row.low, learnt[0]), min(row.high, learnt[1])
    return (low, high) if low < high else (row.low, row.high)


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of a sample."""

    bytes: int  # in the window
    value: float  # corrected entropy of the window, bits per byte
    low: float
    high: float
    text: float  # share of text in the window
    verdict: int
    life_bytes: int
    life_low: float
    life_high: float
    life_verdict: int
    level: float
    quarter: float


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What does not fit the table. `measured` and `limit` in bits per byte."""

    what: str  # plaintext, random, fell, no_handshake
    direction: int
    measured: float
    limit: float


def is_random(side: Side) -> bool:
    """Its first bytes or its last are random to somebody who expects none."""
    return (side.life_bytes >= LEAST_BYTES and side.life_low >= RANDOM_BITS) or (
        side.bytes >= LEAST_BYTES and side.low >= RANDOM_BITS
    )


def change_matters(side: Side, row: Expectation | None, expected: tuple[float, float] | None) -> bool:
    """Whether a spike or drop of this direction is one: not where both levels are expected, nor at the handshake of a sealed protocol."""
    if row is not None and row.kind != PLAIN:
        return False
    if expected is None or not math.isfinite(side.level):
        return True
    return not all(expected[0] <= value <= expected[1] for value in (side.level, side.quarter))


def plaintext(sides: tuple[Side, Side], row: Expectation | None, spoken: str | None) -> Mismatch | None:
    """Text where everything should be sealed. What was recognised as sealed has text in its handshake (certificates), so its word holds."""
    if row is None or row.kind != SEALED or spoken in row.spoken:
        return None
    for direction, side in enumerate(sides):
        if side.life_verdict == TEXT and side.life_bytes >= LEAST_TEXT:
            return Mismatch("plaintext", direction, side.life_high, COMMON_TEXT)
    return None


COMMON_TEXT: Final = 6.5  # bits per byte that text stays below


def random_bytes(
    sides: tuple[Side, Side],
    row: Expectation | None,
    spoken: str | None,
    ports: tuple[int, int],
    heads: tuple[int, int],
) -> Mismatch | None:
    """Random bytes where a protocol has none. What is that protocol by its content may carry keys and signatures (DNSSEC), but in its answers only: of it
    the bytes *to* the service are judged, and many of them. ports: originator's, responder's; heads: the first eight bytes of both directions."""
    if row is None or row.kind != PLAIN:
        return None
    genuine = spoken in row.spoken or (row.name == "DNS" and any(map(looks_like_dns, heads)))
    for direction, side in enumerate(sides):
        if genuine:
            served = ports[1 - direction] in row.tcp + row.udp and ports[direction] not in row.tcp + row.udp
            if row.name != "DNS" or not served or side.life_bytes < LEAST_GENUINE or side.life_low < RANDOM_BITS:
                continue
        elif not is_random(side):
            continue
        return Mismatch("random", direction, max(side.life_low, side.low), row.high)
    return None


def looks_like_dns(head: int) -> bool:
    """Whether eight bytes (the first lowest) begin a DNS message: a known opcode, the reserved bit clear, one question or, in an answer, none (RFC 1035
    § 4.1.1); over TCP behind a length."""
    for shift in (0, 16):
        flags_high, flags_low = head >> shift + 16 & 0xFF, head >> shift + 24 & 0xFF
        questions = (head >> shift + 32 & 0xFF) << 8 | head >> shift + 40 & 0xFF
        if flags_high >> 3 & 0xF in (0, 4, 5) and not flags_low & 0x40 and questions <= 1 and head >> shift + 32:
            return True
    return False


def fell(sides: tuple[Side, Side], flags: tuple[bool, bool], row: Expectation | None) -> Mismatch | None:
    """The last quarter of a direction that was encrypted is text. Low entropy alone is not enough: short records are mostly headers."""
    if row is not None and row.kind == MIXED:
        return None
    for direction, side in enumerate(sides):
        if flags[direction] and side.text >= TEXT_RISE:
            return Mismatch("fell", direction, side.quarter, side.level)
    return None


def no_handshake(
    sides: tuple[Side, Side],
    row: Expectation | None,
    spoken: str | None,
    tcp: bool,
    from_start: bool,
    heads: tuple[int, int],
) -> Mismatch | None:
    """A TCP connection, seen from its beginning, whose first bytes are random to both sides, and nobody knows the protocol. Real protocols begin with a
    header or a handshake; fully encrypted tunnels and raw transfers do not (Wu et al., USENIX Security 2023)."""
    if not tcp or not from_start or spoken or (row is not None and row.kind != SEALED) or any(map(has_header, heads)):
        return None
    told = [side for side in sides if side.life_bytes >= 64]
    if not told or not all(side.life_bytes >= LEAST_BYTES for side in told):
        return None
    if all(side.life_low >= RANDOM_BITS for side in told) and any(side.life_verdict == ENCRYPTED for side in told):
        return Mismatch("no_handshake", 0, min(side.life_low for side in told), RANDOM_BITS)
    return None


def has_header(head: int) -> bool:
    """Whether eight bytes (the first lowest) begin with a TLS record (RFC 8446 § 5.1) or with six printable characters, as readable protocols do."""
    kind, version = head & 0xFF, head >> 8 & 0xFF
    return (20 <= kind <= 23 and version == 3) or all(0x20 <= head >> 8 * i & 0xFF < 0x7F for i in range(6))
