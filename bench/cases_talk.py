"""Tunnels, beacons, guessing of passwords, shells and forged answers."""

from __future__ import annotations

import base64
import socket
import struct
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from bench.case_frames import (  # fmt: skip
    BROADCAST,
    Said,
    Timed,
    address,
    answer,
    arp,
    asked,
    connection,
    dns,
    echo,
    http,
    in_order,
    mac,
    tried,
    udp,
)
from bench.cases import Case

CLIENT, RESOLVER, SERVER = "192.168.7.23", "192.168.7.1", "45.77.10.9"
BAD, VICTIM = "10.1.1.66", "10.1.1.20"
FORGER: Final = b"\x02\xee\0\0\0\x66"
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"


def encoded(number: int, step: float, length: int, kind: int = 1, answered: bool = True, domain: str = "t.evil.net") -> list[Timed]:  # fmt: skip
    """Names that carry data."""
    random = Random(length)
    replies = [(kind, random.randbytes(100))] if kind not in (1, 28) else [address("1.2.3.4")]
    return in_order(
        asked(i * step, CLIENT, RESOLVER, f"{''.join(random.choices(LETTERS, k=length))}.{domain}", kind, replies if answered else None)
        for i in range(number)
    )  # fmt: skip


def pings(number: int, size: Callable[[Random], int], same_back: bool = True, back: bool = True) -> list[Timed]:
    """Pings that carry data."""
    random, made = Random(number), []
    for i in range(number):
        payload = random.randbytes(size(random))
        made.append((i * 0.1, echo(CLIENT, SERVER, i, payload)))
        if back:
            reply = payload if same_back else random.randbytes(size(random))
            made.append((i * 0.1 + 0.02, echo(SERVER, CLIENT, i, reply, True)))
    return made


def reports(number: int, period: float, jitter: float, port: int = 443, said: list[Said] | None = None) -> list[Timed]:
    """A connection each period."""
    random, parts, at = Random(number), [], 0.0
    for _ in range(number):
        talk = said or [(0, random.randbytes(200)), (1, random.randbytes(300))]
        parts.append(connection(at, CLIENT, SERVER, port, talk))
        at += period * (1 + random.uniform(-jitter, jitter))
    return in_order(parts)


def spaced_pings(number: int, period: float) -> list[Timed]:
    return in_order(
        [
            (i * period, echo(CLIENT, SERVER, i, bytes(32))),
            (i * period + 0.02, echo(SERVER, CLIENT, i, bytes(32), True)),
        ]
        for i in range(number)
    )


def names_like_a_clock(number: int, period: float, jitter: float) -> list[Timed]:
    random, at, parts = Random(number), 0.0, []
    for i in range(number):
        parts.append(asked(at, CLIENT, RESOLVER, f"{i:x}a1.post.evil.net", 16, [(16, b"\3abc")]))
        at += period * (1 + random.uniform(-jitter, jitter))
    return in_order(parts)


def talk(port: int, said: list[Said], src: str = CLIENT, dst: str = SERVER, gap: float = 0.2) -> list[Timed]:
    return list(connection(0, src, dst, port, said, gap=gap))


def guesses(port: int, number: int, step: float, said: Callable[[int], list[Said]]) -> list[Timed]:
    """A connection for each password."""
    return in_order(connection(i * step, BAD, VICTIM, port, said(i), gap=0.02) for i in range(number))


def lines(*said: tuple[int, str]) -> list[Said]:
    return [(side, text.encode() + b"\r\n") for side, text in said]


def ftp(i: int) -> list[Said]:
    return lines((1, "220 ready"), (0, "USER root"), (1, "331 Password"), (0, f"PASS p{i}"), (1, "530 Login incorrect"))


def ssh(i: int) -> list[Said]:
    random = Random(i)
    exchange = struct.pack("!IBB", 700, 10, 20) + random.randbytes(698)
    greetings: list[Said] = [(1, b"SSH-2.0-OpenSSH_8.9\r\n"), (0, b"SSH-2.0-libssh_0.9.6\r\n"), (0, exchange)]
    return [*greetings, (1, exchange), (0, random.randbytes(400)), (1, random.randbytes(1500))]


def basic(i: int) -> list[Said]:
    proof = "Basic " + base64.b64encode(b"tomcat:p%d" % i).decode()
    return [(0, http("GET", "/manager/html", VICTIM, Authorization=proof)), (1, answer(b"no", 401))]


def form(i: int) -> list[Said]:
    body = b"log=admin&pwd=p%d&wp-submit=Log+In" % i
    sent = http("POST", "/wp-login.php", VICTIM, body, Content_Type="application/x-www-form-urlencoded")
    return [(0, sent), (1, answer(b"<html>error</html>"))]


def pop3(number: int) -> list[Timed]:
    said = lines((1, "+OK ready"))
    for i in range(number):
        said += lines((0, "USER bob"), (1, "+OK"), (0, f"PASS z{i}"), (1, "-ERR auth failed"))
    return talk(110, said, BAD, VICTIM)


def impostor() -> list[Timed]:
    """Answers to everybody's local questions (LLMNR)."""
    made = []
    for i, name in enumerate(("wpad", "fileserv", "prnt01", "intranet", "sql")):
        asker = f"10.1.1.{30 + i}"
        body = bytes([len(name)]) + name.encode() + b"\0\0\1\0\1"
        made.append(
            (float(i), udp(asker, 50_001 + i, "224.0.0.252", 5355, struct.pack("!HHHHHH", i, 0, 1, 0, 0, 0) + body))
        )
        reply = struct.pack("!HHHHHH", i, 0x8000, 1, 1, 0, 0) + body + b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" + socket.inet_aton(BAD)  # fmt: skip
        made.append((i + 0.01, udp(BAD, 5355, asker, 50_001 + i, reply)))
    return made


def race() -> list[Timed]:
    """Two answers to one question."""
    question = udp(CLIENT, 40_001, "8.8.8.8", 53, dns(7, "www.bank.com"))
    forged, real = (udp("8.8.8.8", 53, CLIENT, 40_001, dns(7, "www.bank.com", 1, [address(to)])) for to in ("66.6.6.6", "151.101.1.7"))  # fmt: skip
    return [(0.0, question), (0.001, forged), (0.02, real)]


def claims(how: str) -> list[Timed]:
    """Somebody says that the router's address is his."""
    own, router, victim = b"\2\0\0\0\0\1", "10.1.1.1", mac(VICTIM)
    made = [(0.0, arp(1, victim, VICTIM, router)), (0.001, arp(2, own, router, VICTIM, victim, victim))]
    for i in range(30):
        forged = {
            "replies": arp(2, FORGER, router, VICTIM, victim, victim),
            "announcements": arp(1, FORGER, router, router),
            "announced replies": arp(2, FORGER, router, router, BROADCAST),
            "requests": arp(1, FORGER, router, VICTIM, bytes(6), victim),
        }[how]
        made.append((5 + 2.0 * i, forged))
    return made


_TUNNEL: Final = ("dns_tunnel",)
_SHELL: Final = ("reverse_shell",)
_SESSIONS: Final = ("brute_force_sessions",)
COBALT: Final = http("GET", "/ca", SERVER, Cookie="A" * 171)
CASES: Final = (
    Case("DNS tunnel of NULL records", _TUNNEL, CLIENT, partial(encoded, 120, 0.2, 60, 10)),
    Case("DNS tunnel of TXT records", _TUNNEL, CLIENT, partial(encoded, 120, 0.3, 50, 16)),
    Case("DNS tunnel, a name in 4 s", _TUNNEL, CLIENT, partial(encoded, 100, 4.0, 40)),
    Case("DNS tunnel, a name in 10 s", _TUNNEL, CLIENT, partial(encoded, 100, 10.0, 50, 16)),
    Case("DNS exfiltration without answers", _TUNNEL, CLIENT, partial(encoded, 60, 0.5, 60, answered=False)),
    Case("DNS tunnel over AAAA records", _TUNNEL, CLIENT, partial(encoded, 100, 0.3, 45, 28)),
    Case("ICMP tunnel of fixed size", ("icmp_tunnel",), CLIENT, partial(pings, 100, lambda random: 64, False)),
    Case("ICMP tunnel of many sizes, echoed", ("icmp_tunnel",), CLIENT, partial(pings, 150, lambda random: random.randrange(20, 900))),
    Case("ICMP exfiltration of one size, echoed", ("icmp_tunnel",), CLIENT, partial(pings, 150, lambda random: 1000)),
    Case("ICMP exfiltration without answers", ("icmp_tunnel",), CLIENT, partial(pings, 150, lambda random: 500, back=False)),
    Case("SSH on port 443", ("unusual_port", "tunnel"), CLIENT, partial(talk, 443, ssh(1))),
    Case("SSH through a web proxy", ("tunnel",), CLIENT, partial(talk, 3128, [(0, b"CONNECT 45.1.1.1:22 HTTP/1.1\r\nHost: 45.1.1.1:22\r\n\r\n"), (1, b"HTTP/1.1 200 Connection established\r\n\r\n"), *ssh(1)], dst="10.9.9.9")),
    Case("beacon, 60 s", ("beacon",), SERVER, partial(reports, 30, 60.0, 0.0)),
    Case("beacon, 60 s, jitter 20 %", ("beacon",), SERVER, partial(reports, 30, 60.0, 0.2)),
    Case("beacon, 60 s, jitter 50 %", ("beacon",), SERVER, partial(reports, 40, 60.0, 0.5)),
    Case("beacon, hourly", ("beacon",), SERVER, partial(reports, 20, 3600.0, 0.1)),
    Case("beacon, 30 s, nine times", ("beacon",), SERVER, partial(reports, 9, 30.0, 0.04)),
    Case("beacon to a server that is gone", ("beacon",), SERVER, lambda: in_order(tried(i * 30, CLIENT, SERVER, 4444, "R") for i in range(30))),
    Case("beacon within one connection", ("beacon",), SERVER, partial(talk, 8080, [(0, b"x" * 100)] * 40, gap=15.0)),
    Case("beacon by pings", ("beacon",), SERVER, partial(spaced_pings, 30, 30.0)),
    Case("beacon by DNS, one name", ("dns_beacon",), CLIENT, lambda: in_order(asked(i * 30.0, CLIENT, RESOLVER, "c2.evil.net", 1, [address("1.2.3.4")]) for i in range(30))),
    Case("beacon by DNS, other names, jitter", ("dns_beacon",), CLIENT, partial(names_like_a_clock, 30, 45.0, 0.2)),
    Case("check-in at an address of Cobalt Strike", ("c2_http",), SERVER, partial(talk, 80, [(0, COBALT), (1, answer(b"x" * 64))])),
    Case("check-in without a user agent", ("c2_http",), SERVER, partial(talk, 8081, [(0, http("GET", "/index.php?id=0a1b2c3d4e5f", SERVER, agent=None)), (1, answer())])),
    Case("reverse shell of Linux", _SHELL, CLIENT, partial(talk, 4444, [(1, b"id\n"), (0, b"uid=0(root) gid=0(root) groups=0(root)\n")])),
    Case("reverse shell of Windows", _SHELL, CLIENT, partial(talk, 443, [(0, b"Microsoft Windows [Version 10.0.19045.2006]\r\n(c) Microsoft Corporation. All rights reserved.\r\n\r\nC:\\Users\\bob>"), (1, b"whoami\n")])),
    Case("bind shell", ("bind_shell", "reverse_shell"), VICTIM, partial(talk, 6200, [(0, b"id\n"), (1, b"uid=0(root) gid=0(root)\n"), (0, b"uname -a\n"), (1, b"Linux v 4.4.0 #1 SMP x86_64 GNU/Linux\n")], BAD, VICTIM)),
    Case("miner at its pool", ("mining",), CLIENT, partial(talk, 3333, [(0, b'{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5"]}\n'), (1, b'{"id":1,"result":[]}\n')])),
    Case("FTP guessing", ("brute_force",), BAD, partial(guesses, 21, 20, 1.0, ftp)),
    Case("FTP guessing, one in 10 s", ("brute_force",), BAD, partial(guesses, 21, 12, 10.0, ftp)),
    Case("POP3 guessing in one connection", ("brute_force",), BAD, partial(pop3, 10)),
    Case("SSH guessing", _SESSIONS, BAD, partial(guesses, 22, 20, 0.5, ssh)),
    Case("SSH guessing, one in 8 s", _SESSIONS, BAD, partial(guesses, 22, 12, 8.0, ssh)),
    Case("web guessing, basic", ("brute_force",), BAD, partial(guesses, 8080, 15, 0.5, basic)),
    Case("web guessing, form", ("brute_force_form",), BAD, partial(guesses, 80, 15, 0.5, form)),
    Case("impostor for local names", ("name_poisoning",), BAD, impostor),
    Case("race of DNS answers", ("dns_spoof",), CLIENT, race),
    *(Case(f"ARP spoofing by {how}", ("arp_spoof",), FORGER.hex(":"), partial(claims, how)) for how in ("replies", "announcements", "announced replies", "requests")),
)  # fmt: skip
