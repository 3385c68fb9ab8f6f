"""Denial of service by what is said: HTTP floods, unfinished requests, questions for names that do not exist; and busy services that look like it."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Final

from bench.case_frames import ACK, PSH, SYN, Said, Timed, address, answer, asked, connection, http, in_order, port, tcp
from bench.cases import Case

VICTIM, FAR, RESOLVER = "10.1.1.20", "185.220.1.9", "10.1.1.53"
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS: Final = (
    "mail",
    "www",
    "ftp",
    "vpn",
    "dev",
    "test",
    "stage",
    "portal",
    "intra",
    "backup",
    "shop",
    "blog",
    "admin",
    "cloud",
    "files",
)


def client(i: int) -> str:
    return f"60.{i % 200}.{i // 200}.9"


def requests(number: int, rate: float, clients: int = 1, method: str = "GET", query: bool = False) -> list[Timed]:
    """A connection for each request for the same page."""
    random, parts = Random(number), []
    for i in range(number):
        target = "/index.php" + (f"?{random.getrandbits(32):x}" if query else "")
        asked_for = http(method, target, VICTIM, b"a=b" * 50 if method == "POST" else b"")
        parts.append(connection(i / rate, client(i % clients), VICTIM, 80, [(0, asked_for), (1, answer())]))
    return in_order(parts)


def kept(number: int, agent: str, path: str, rate: float, src: str = FAR) -> list[Timed]:
    """All in one connection."""
    said: list[Said] = []
    for _ in range(number):
        said += [(0, http("POST", path, VICTIM, b"{}", agent)), (1, answer(b"{}", kind="application/json"))]
    return list(connection(0, src, VICTIM, 80, said, step=1 / rate / 2))


def unfinished(first: bytes, piece: bytes, number: int, clients: int = 1) -> list[Timed]:
    """Requests that go on and on."""
    said: list[Said] = [(0, first), *[(0, piece)] * 4]
    return in_order(
        connection(i * 0.02, client(i % clients), VICTIM, 80, said, gap=5.0, close=False) for i in range(number)
    )


def unread(number: int, clients: int = 1, fetched: int = 1152, window: int = 0, pause: float = 30.0) -> list[Timed]:
    """Requests whose answer is not taken: the server asks again and again whether it may send, at growing intervals."""
    made: list[Timed] = []
    for i in range(number):
        who, own, at, get = client(i % clients), port(), i * 0.05, http("GET", "/large.iso", VICTIM)
        gets, sent = 1001 + len(get), 5001 + fetched
        made += [
            (at, tcp(who, own, VICTIM, 80, SYN, window=1152)),
            (at + 0.001, tcp(VICTIM, 80, who, own, SYN | ACK, seq=5000, ack=1001)),
            (at + 0.002, tcp(who, own, VICTIM, 80, ACK, seq=1001, ack=5001, window=1152)),
            (at + 0.003, tcp(who, own, VICTIM, 80, PSH | ACK, get, 1001, 5001, window=1152)),
        ]
        for begin in range(0, fetched, 1400):
            part = bytes(min(1400, fetched - begin))
            made.append((at + 0.004 + begin * 1e-7, tcp(VICTIM, 80, who, own, ACK, part, 5001 + begin, gets)))
        wait, asks = 0.2, at + 0.3
        while asks < at + pause:
            made.append((asks, tcp(VICTIM, 80, who, own, ACK, seq=sent - 1, ack=gets)))
            made.append((asks + 0.001, tcp(who, own, VICTIM, 80, ACK, seq=gets, ack=sent, window=window)))
            wait, asks = wait * 2, asks + wait
    return sorted(made, key=lambda one: one[0])


def pending(number: int) -> list[Timed]:
    """Whole requests that wait for news, and get them after half a minute."""
    said: list[Said] = [(0, http("GET", "/poll", VICTIM)), (1, answer())]
    return in_order(connection(i * 0.1, client(i), VICTIM, 80, said, gap=30.0) for i in range(number))


def visits(number: int, rate: float) -> list[Timed]:
    """A busy server: many pages, each with its parts."""
    parts = []
    for i in range(number):
        said: list[Said] = []
        for part in (f"/article/{i % 300}", "/style.css", "/app.js", f"/images/{i % 50}.jpg"):
            said += [(0, http("GET", part, VICTIM)), (1, answer())]
        parts.append(connection(i / rate, client(i % 400), VICTIM, 80, said))
    return in_order(parts)


def made_up(number: int, rate: float, clients: int, rcode: int) -> list[Timed]:
    """Names of one domain; rcode 0: nobody answers."""
    random = Random(number)
    return in_order(
        asked(i / rate, client(i % clients), RESOLVER, f"{''.join(random.choices(LETTERS, k=random.randrange(7, 14)))}.bank.com", 1, () if rcode else None, rcode)
        for i in range(number)
    )  # fmt: skip


def words(number: int, rate: float) -> list[Timed]:
    """A list of host names; one in forty exists."""
    return in_order(
        asked(i / rate, FAR, RESOLVER, f"{WORDS[i % 15]}{i // 15 or ''}.shop.com", 1, [address("45.1.1.1")] if i % 40 == 0 else (), 0 if i % 40 == 0 else 3)
        for i in range(number)
    )  # fmt: skip


def hosts(number: int, rate: float) -> list[Timed]:
    """A content network's names, all of which exist."""
    return in_order(
        asked(i / rate, client(i % 30), RESOLVER, f"edge-{i:x}x{i * 7919 % 4096:x}.cdn.net", 1, [address("45.1.1.1")])
        for i in range(number)
    )


_HTTP, _SLOW, _NAMES = ("http_flood",), ("slow_http_flood",), ("dns_subdomain_flood",)
_HEAD: Final = b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/4.0\r\n"
_POST: Final = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
CASES: Final = (
    Case("GET flood of one client", _HTTP, VICTIM, partial(requests, 800, 200.0)),
    Case("POST flood of one client", _HTTP, VICTIM, partial(requests, 800, 200.0, 1, "POST")),
    Case("GET flood with random queries", _HTTP, VICTIM, partial(requests, 600, 30.0, 1, "GET", True)),
    Case("GET flood of 50 clients", _HTTP, VICTIM, partial(requests, 1600, 400.0, 50)),
    Case("flood within one connection", _HTTP, VICTIM, partial(kept, 800, "Mozilla/5.0 (Windows NT 10.0)", "/", 300.0)),
    Case("slowloris", _SLOW, VICTIM, partial(unfinished, _HEAD, b"X-a: b\r\n", 100)),
    Case("slowloris of 20 clients", _SLOW, VICTIM, partial(unfinished, _HEAD, b"X-a: b\r\n", 100, 20)),
    Case("slow POST", _SLOW, VICTIM, partial(unfinished, _POST, b"ab", 100)),
    Case("slow read", _SLOW, VICTIM, partial(unread, 60)),
    Case("slow read of 20 clients, some bytes at a time", _SLOW, VICTIM, partial(unread, 60, 20, 8000, 40)),
    Case("water torture by 50 clients", _NAMES, RESOLVER, partial(made_up, 1000, 200.0, 50, 3)),
    Case("water torture that nobody answers", _NAMES, RESOLVER, partial(made_up, 1000, 200.0, 50, 0)),
    Case("water torture by one client, servers fail", _NAMES, RESOLVER, partial(made_up, 600, 50.0, 1, 2)),
    Case("list of host names", ("dns_enumeration",), RESOLVER, partial(words, 500, 50.0)),
    Case("harmless: program that calls another over one connection", (), None, partial(kept, 1500, "Go-http-client/1.1", "/rpc", 300.0, "10.1.1.9")),
    Case("harmless: pages that wait for news", (), None, partial(pending, 80)),
    Case("harmless: players that are halted", (), None, partial(unread, 60, 20, 400_000)),
    Case("harmless: clients that are busy for some seconds", (), None, partial(unread, 60, 60, 20_000, 0, 5.0)),
    Case("harmless: a browser whose tab sleeps", (), None, partial(unread, 6)),
    Case("harmless: busy web site", (), None, partial(visits, 800, 100.0)),
    Case("harmless: names of a content network", (), None, partial(hosts, 1000, 200.0)),
)  # fmt: skip
