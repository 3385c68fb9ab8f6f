"""SMB, DCE/RPC, Kerberos, LDAP, IRC, VNC, WebSocket, r-services, SIP: what they tell, and that hostile bytes are only bytes."""

from __future__ import annotations

import struct
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.cleartext_protocols import TCP_RECOGNIZERS, UDP_RECOGNIZERS
from app.dpi.facts import Action, CleartextLogin, LoginAttempt
from app.dpi.inspector import FlowContext
from app.dpi.websocket import recognize_websocket
from tests.dpi.flows import C, Play, S, play

SAMR = uuid.UUID("12345778-1234-abcd-ef00-0123456789ac")


def pdu(kind: int, body: bytes) -> bytes:
    return bytes((5, 0, kind, 3, 0x10, 0, 0, 0)) + struct.pack("<HHI", 16 + len(body), 0, 1) + body


def bind(interface: uuid.UUID) -> bytes:
    context = struct.pack("<HBB", 0, 1, 0) + interface.bytes_le + bytes(4) + bytes(20)
    return pdu(11, struct.pack("<HHI", 4280, 4280, 0) + bytes((1, 0, 0, 0)) + context)


def call(operation: int, stub: bytes = b"") -> bytes:
    return pdu(0, struct.pack("<IHH", len(stub), 0, operation) + stub)


def smb2(command: int, body: bytes, response: bool = False, status: int = 0, number: int = 1) -> bytes:
    head = (
        b"\xfeSMB"
        + struct.pack("<HHIHHIIQIIQ", 64, 0, status, command, 0, int(response), 0, number, 0, 0, 0)
        + bytes(16)
    )
    return (len(head) + len(body)).to_bytes(4, "big") + head + body


def tree(path: str) -> bytes:
    raw = path.encode("utf-16-le")
    return struct.pack("<HHHH", 9, 0, 72, len(raw)) + raw


def create(name: str, access: int = 0x12019F) -> bytes:
    raw = name.encode("utf-16-le")
    fixed = (
        struct.pack("<HBBI", 57, 0, 0, 2)
        + bytes(16)
        + struct.pack("<IIIII", access, 0, 7, 1, 0)
        + struct.pack("<HHII", 120, len(raw), 0, 0)
    )
    return fixed + raw


def write(handle: bytes, data: bytes) -> bytes:
    return struct.pack("<HHIQ", 49, 112, len(data), 0) + handle + bytes(16) + data


def acts(flow: Play) -> list[tuple[str, str, str]]:
    return [(fact.protocol, fact.name, fact.subject) for fact in flow.facts if isinstance(fact, Action)]


def tcp(*lines: tuple[int, bytes], port: int = 9999) -> Play:
    return play(TCP_RECOGNIZERS, *lines, dst_port=port)


HANDLE = bytes(range(16))
COPY_OF_PROGRAM = [
    (C, smb2(3, tree(r"\\srv\ADMIN$"))),
    (C, smb2(5, create("PSEXESVC.exe"), number=2)),
    (S, smb2(5, bytes(64) + HANDLE + bytes(8), True, number=2)),
    (C, smb2(9, write(HANDLE, b"MZ" + bytes(100)), number=3)),
]
PIPE = [
    (C, smb2(5, create("samr"), number=2)),
    (S, smb2(5, bytes(64) + HANDLE + bytes(8), True, number=2)),
    (C, smb2(9, write(HANDLE, bind(SAMR)), number=3)),
    (C, smb2(9, write(HANDLE, call(13)), number=4)),
]


def test_a_program_copied_to_a_share() -> None:
    told = acts(tcp(*COPY_OF_PROGRAM, port=445))
    assert ("smb", "tree_connect", r"\\srv\ADMIN$") in told
    assert ("smb", "write_file", "PSEXESVC.exe") in told


def test_rpc_in_a_pipe_and_over_tcp() -> None:
    for flow in (tcp(*PIPE, port=445), tcp((C, bind(SAMR)), (C, call(13)), port=49667)):
        assert ("dcerpc", "bind", "samr") in acts(flow)
        assert ("dcerpc", "call", "samr.13") in acts(flow)


def test_credentials_of_zeros() -> None:
    netlogon = uuid.UUID("12345678-1234-abcd-ef00-01234567cffb")
    stub = b"\\\0D\0C\0\0\0" * 4
    flow = tcp((C, bind(netlogon)), (C, call(4, stub + bytes(8))), (C, call(4, stub + bytes(range(8)))))
    found = [fact.details.get("credential") for fact in flow.facts if isinstance(fact, Action) and fact.name == "call"]
    assert found == ["zero", None]


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = bytes((len(body),)) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes((tag,)) + length + body


def principal(*names: str) -> bytes:
    return der(0x30, der(0xA0, der(2, b"\1")), der(0xA1, der(0x30, *(der(0x1B, name.encode()) for name in names))))


def test_kerberos_tickets_and_errors() -> None:
    encrypted = der(0x30, der(0xA0, der(2, b"\x17")), der(0xA2, der(4, b"x")))
    ticket = der(
        0x61,
        der(
            0x30,
            der(0xA0, der(2, b"\5")),
            der(0xA1, der(0x1B, b"X")),
            der(0xA2, principal("MSSQL", "db")),
            der(0xA3, encrypted),
        ),
    )
    answer = der(0x6D, der(0x30, der(0xA0, der(2, b"\5")), der(0xA1, der(2, b"\x0d")), der(0xA3, der(0x1B, b"X")), der(0xA4, principal("bob")), der(0xA5, ticket), der(0xA6, encrypted)))  # fmt: skip
    refused = der(
        0x7E,
        der(
            0x30,
            der(0xA0, der(2, b"\5")),
            der(0xA1, der(2, b"\x1e")),
            der(0xA6, der(2, b"\x18")),
            der(0xA8, principal("eve")),
        ),
    )
    flow = play(UDP_RECOGNIZERS, (S, answer), (S, refused), protocol=17, dst_port=88)
    ticket_fact = next(fact for fact in flow.facts if isinstance(fact, Action) and fact.name == "tgs_rep")
    assert (ticket_fact.subject, ticket_fact.details["etype"], ticket_fact.details["client"]) == (
        "MSSQL/db",
        "rc4-hmac",
        "bob",
    )
    attempt = next(fact for fact in flow.facts if isinstance(fact, LoginAttempt))
    assert (attempt.username, attempt.succeeded, attempt.reason) == ("eve", False, "wrong password")


def test_ldap_binds_and_searches() -> None:
    bound = der(0x30, der(2, b"\1"), der(0x60, der(2, b"\3"), der(4, b"cn=ann"), der(0x80, b"secret")))
    answer = der(0x30, der(2, b"\1"), der(0x61, der(10, b"\x31"), der(4), der(4)))
    wanted = der(0xA3, der(4, b"servicePrincipalName"), der(4, b"*"))
    search = der(
        0x30,
        der(2, b"\2"),
        der(
            0x63,
            der(4, b"DC=x"),
            der(10, b"\2"),
            der(10, b"\0"),
            der(2, b"\0"),
            der(2, b"\0"),
            der(1, b"\0"),
            wanted,
            der(0x30),
        ),
    )
    flow = tcp((C, bound), (S, answer), (C, search), port=389)
    login = next(fact for fact in flow.facts if isinstance(fact, CleartextLogin))
    assert (login.username, login.succeeded) == ("cn=ann", False)
    found = next(fact for fact in flow.facts if isinstance(fact, Action) and fact.name == "search")
    assert (found.subject, found.details["scope"], found.details["filter"]) == (
        "DC=x",
        "subtree",
        "(servicePrincipalName=*)",
    )
    assert "secret" not in repr(flow.facts)


def test_vnc_passwords_refused() -> None:
    flow = tcp(
        (S, b"RFB 003.008\n"),
        (C, b"RFB 003.008\n"),
        (S, b"\1\2"),
        (C, b"\2"),
        (S, bytes(16)),
        (C, bytes(16)),
        (S, b"\0\0\0\1"),
        port=5900,
    )
    assert [(fact.protocol, fact.succeeded) for fact in flow.facts if isinstance(fact, LoginAttempt)] == [
        ("vnc", False)
    ]
    left = tcp((S, b"RFB 003.008\n"), (C, b"RFB 003.008\n"), (S, b"\1\2"), port=5900)
    left.close() if hasattr(left, "close") else left.inspector.close(9)
    assert ("vnc", "left", "before authentication") in acts(left)


def test_rlogin_and_orders_over_irc() -> None:
    flow = tcp((C, b"\0ann\0bob\0xterm/38400\0"), (S, b"\0"), port=513)
    assert [
        (fact.protocol, fact.username, fact.succeeded) for fact in flow.facts if isinstance(fact, CleartextLogin)
    ] == [("rlogin", "bob", True)]
    bots = tcp(
        (C, b"NICK bot42\r\nUSER a b c :d\r\n"), (S, b":x!y@z PRIVMSG #c :.advscan lsass 100 5 0 -r\r\n"), port=6667
    )
    assert ("irc", "order") in [(one, what) for one, what, _ in acts(bots)]


def test_ssh_in_websocket() -> None:
    facts: list[object] = []
    flow = FlowContext(1, 6, "192.0.2.1", 1, "192.0.2.2", 80, facts.append, {"upgrade": "websocket"})
    inspector = recognize_websocket(flow, S, b"\x82")
    assert inspector is not None
    banner = b"SSH-2.0-OpenSSH_8.9\r\n"
    inspector.data(S, bytes((0x82, len(banner))) + banner, 1)
    assert [fact.subject for fact in facts if isinstance(fact, Action)] == ["ssh"]


STREAMS = [
    COPY_OF_PROGRAM,
    PIPE,
    [(C, bind(SAMR)), (C, call(13))],
    [(C, der(0x30, der(2, b"\1"), der(0x60, der(2, b"\3"), der(4, b"a"), der(0x80, b"b"))))],
]


@pytest.mark.parametrize("stream", STREAMS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_messages_are_only_bytes(stream: list[tuple[int, bytes]], data: st.DataObject) -> None:
    lines = []
    for side, message in stream:
        damaged = bytearray(message)
        for _ in range(data.draw(st.integers(0, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        lines.append((side, bytes(damaged[: data.draw(st.integers(1, len(damaged)))])))
    tcp(*lines, port=445)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=120),
    st.sampled_from([b"\x30", b"\x6a", b"\x7e", b"\x05\0\x0b\x03\x10\0\0\0", b"RFB 003.008\n", b"NICK a\r\n"]),
)
def test_noise_behind_a_right_beginning(noise: bytes, begin: bytes) -> None:
    tcp((C, begin + noise), (S, noise), (C, noise))
    play(UDP_RECOGNIZERS, (C, begin + noise), (S, begin + noise), protocol=17, dst_port=88)
