"""Guessing of passwords at databases, directories, terminals and devices, quick and with patience; logins that anybody on the way can read."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from bench.case_frames import Said, Timed, connection, in_order, udp
from bench.cases import Case
from bench.cases_talk import BAD, CLIENT, SERVER, VICTIM, basic, form, ftp, guesses, lines, ssh, talk

PLAIN: Final = base64.b64encode(b"\0bob\0secret")
STREAM: Final = b"<?xml version='1.0'?><stream:stream to='x.org' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


def postgresql(i: int) -> list[Said]:
    asked, refused = b"user\0postgres\0\0", b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"
    proof = b"md5" + hashlib.md5(b"%d" % i, usedforsecurity=False).hexdigest().encode() + b"\0"
    return [
        (0, struct.pack("!I", 8 + len(asked)) + b"\0\3\0\0" + asked),
        (1, b"R\0\0\0\x0c\0\0\0\5abcd"),
        (0, b"p" + struct.pack("!I", 4 + len(proof)) + proof),
        (1, b"E" + struct.pack("!I", 4 + len(refused)) + refused),
    ]


def mysql(i: int) -> list[Said]:
    greeting = b"\x0a5.7.30\0" + struct.pack("<I", i) + b"abcdefgh\0\xff\xf7\x08\x02\0\x7f\x80\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"  # fmt: skip
    login = struct.pack("<IIB", 0x000FA685, 1 << 24, 33) + bytes(23) + b"root\0\x14" + Random(i).randbytes(20) + b"mysql_native_password\0"  # fmt: skip
    said = ((1, greeting), (0, login), (1, b"\xff\x15\x04#28000Access denied for user 'root'@'h'"))
    return [(side, len(body).to_bytes(3, "little") + bytes([n]) + body) for n, (side, body) in enumerate(said)]


def redis(i: int) -> list[Said]:
    word = b"p%d" % i
    return [(0, b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(word), word)), (1, b"-WRONGPASS invalid password\r\n")]


def ldap(i: int, result: int = 49) -> list[Said]:
    word, name = b"p%d" % i, b"cn=admin,dc=x"
    bind = b"\2\1\3\4" + bytes([len(name)]) + name + b"\x80" + bytes([len(word)]) + word
    asked = b"\2\1\1\x60" + bytes([len(bind)]) + bind
    answered = b"\2\1\1\x61\7\x0a\1" + bytes([result]) + b"\4\0\4\0"
    return [(0, b"0" + bytes([len(asked)]) + asked), (1, b"0" + bytes([len(answered)]) + answered)]


def telnet(i: int) -> list[Said]:
    asks: list[Said] = [(1, b"\xff\xfd\x18\xff\xfb\x01"), (0, b"\xff\xfb\x18\xff\xfd\x01"), (1, b"\r\nlogin: ")]
    return [*asks, (0, b"root\r\n"), (1, b"root\r\nPassword: "), (0, b"p%d\r\n" % i), (1, b"\r\nLogin incorrect\r\n\r\nlogin: ")]  # fmt: skip


def smtp(i: int) -> list[Said]:
    proof = base64.b64encode(b"\0bob\0p%d" % i).decode()
    return lines((1, "220 mx ESMTP"), (0, "EHLO x"), (1, "250 AUTH PLAIN"), (0, f"AUTH PLAIN {proof}"), (1, "535 5.7.8 failed"))  # fmt: skip


def rdp(i: int) -> list[Said]:
    random = Random(i)
    return [
        (
            0,
            bytes.fromhex("0300002b26e00000000000") + b"Cookie: mstshash=admin\r\n" + bytes.fromhex("0100080003000000"),
        ),
        (1, bytes.fromhex("030000130ed000001234000209080002000000")),
        (0, b"\x16\3\1\0\xc0\1\0\0\xbc\3\3" + random.randbytes(185)),
        (1, b"\x16\3\3\3\0" + random.randbytes(768)),
    ]


def session(i: int) -> list[Said]:
    """A command by SSH that is carried out."""
    return [*ssh(i), (0, Random(i).randbytes(300)), (1, Random(i).randbytes(9000))]


def snmp(community: bytes) -> bytes:
    body = b"\2\1\1\4" + bytes([len(community)]) + community + bytes.fromhex("a019020400000001020100020100300b300906052b060102010500")  # fmt: skip
    return b"0" + bytes([len(body)]) + body


def communities(number: int, kinds: int, one_port: bool = False) -> list[Timed]:
    return [(i * 0.05, udp(BAD, 50_000 + (0 if one_port else i), VICTIM, 161, snmp(b"word%d" % (i % kinds)))) for i in range(number)]  # fmt: skip


def then_right(number: int) -> list[Timed]:
    """A person who mistypes now and then at a directory, and gets in the next time."""
    return in_order(
        connection(i * 300.0, BAD, VICTIM, 636, sasl(0 if i % 3 == 2 else 49), gap=0.02) for i in range(number)
    )


def sasl(result: int) -> list[Said]:
    """A bind whose password cannot be read."""
    bind = b"\2\1\3\4\5cn=me\xa3\x09\4\7GSS-SPN"
    asked = b"\2\1\1\x60" + bytes([len(bind)]) + bind
    answered = b"\2\1\1\x61\7\x0a\1" + bytes([result]) + b"\4\0\4\0"
    return [(0, b"0" + bytes([len(asked)]) + asked), (1, b"0" + bytes([len(answered)]) + answered)]


_QUICK: Final[dict[str, tuple[int, Callable[[int], list[Said]]]]] = {
    "PostgreSQL": (5432, postgresql),
    "MySQL": (3306, mysql),
    "Redis": (6379, redis),
    "LDAP": (389, ldap),
    "Telnet": (23, telnet),
    "SMTP": (25, smtp),
}
_READ: Final = ("cleartext_credentials",)
_PATIENT: Final = ("brute_force_slow",)
CASES: Final = (
    *(Case(f"{name} guessing", ("brute_force",), BAD, partial(guesses, port, 12, 0.5, said)) for name, (port, said) in _QUICK.items()),
    *(Case(f"{name} guessing, one a minute", _PATIENT, BAD, partial(guesses, port, 15, 60.0, said)) for name, (port, said) in _QUICK.items()),
    Case("FTP guessing, one in 3 minutes", _PATIENT, BAD, partial(guesses, 21, 15, 180.0, ftp)),
    Case("web guessing, basic, one a minute", _PATIENT, BAD, partial(guesses, 8080, 15, 60.0, basic)),
    Case("web guessing, form, one in 40 s", ("brute_force_form",), BAD, partial(guesses, 80, 20, 40.0, form)),
    Case("SSH guessing, one a minute", _PATIENT, BAD, partial(guesses, 22, 20, 60.0, ssh)),
    Case("SSH guessing, one in 3 minutes", _PATIENT, BAD, partial(guesses, 22, 20, 180.0, ssh)),
    Case("RDP guessing", ("brute_force_sessions",), BAD, partial(guesses, 3389, 15, 1.0, rdp)),
    Case("RDP guessing, one a minute", _PATIENT, BAD, partial(guesses, 3389, 20, 60.0, rdp)),
    Case("guessing of SNMP communities", ("brute_force_community",), BAD, partial(communities, 40, 40)),
    Case("guessing of SNMP communities from one port", ("brute_force_community",), BAD, partial(communities, 40, 40, True)),
    Case("readable login: XMPP", _READ, CLIENT, partial(talk, 5222, [(0, STREAM), (1, STREAM), (0, b"<auth mechanism='PLAIN'>" + PLAIN + b"</auth>"), (1, b"<success/>")])),
    Case("readable login: ManageSieve", _READ, CLIENT, partial(talk, 4190, [(1, b'"IMPLEMENTATION" "Dovecot"\r\n"SASL" "PLAIN"\r\nOK "ready"\r\n'), (0, b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n'), (1, b'OK "in"\r\n')])),
    Case("readable login: LDAP", _READ, CLIENT, partial(talk, 389, ldap(1, 0))),
    Case("readable login: rlogin", _READ, CLIENT, partial(talk, 513, [(0, b"\0bob\0bob\0xterm/38400\0"), (1, b"\0")])),
    Case("SNMP community", ("cleartext_community",), CLIENT, lambda: [(0.0, udp(CLIENT, 50_000, SERVER, 161, snmp(b"public")))]),
    Case("harmless: commands by SSH, one a minute", (), None, partial(guesses, 22, 30, 60.0, session)),
    Case("harmless: mistyped now and then", (), None, partial(then_right, 30)),
    Case("harmless: inventory with three communities", (), None, partial(communities, 300, 3)),
)  # fmt: skip
