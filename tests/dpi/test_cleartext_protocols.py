"""Recognition by content: every protocol's own messages, none of the others', nothing in noise, and no password anywhere."""

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.cleartext_protocols import RECOGNIZERS, TCP_RECOGNIZERS, UDP_RECOGNIZERS
from app.dpi.facts import Action, Recognized
from tests.dpi.flows import C, Play, S, play
from tests.dpi.samples import SAMPLES

IDS = [f"{name}-{index}" for index, (name, *_) in enumerate(SAMPLES)]
SECRETS = ("secret", "AGFubgBzZWNyZXQ", "c2VjcmV0")


def recognizers_for(protocol):
    return TCP_RECOGNIZERS if protocol == 6 else UDP_RECOGNIZERS


def run(sample, size=None):
    _, protocol, port, lines = sample
    if size:
        lines = [(direction, data[at : at + size]) for direction, data in lines for at in range(0, len(data), size)]
    return play(recognizers_for(protocol), *lines, protocol=protocol, dst_port=port)


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_each_is_recognised_once_and_keeps_no_password(sample):
    flow = run(sample)
    assert [fact.protocol for fact in flow.of(Recognized)] == [sample[0]]
    assert not [word for word in SECRETS if word in repr(flow.facts) + repr(flow.flow.notes)]


@pytest.mark.parametrize(
    "sample",
    [sample for sample in SAMPLES if sample[1] == 6],
    ids=[f"{s[0]}-{i}" for i, s in enumerate(SAMPLES) if s[1] == 6],
)
def test_bytes_one_by_one_say_the_same(sample):
    """Where the recogniser takes the begun message; those that want a whole first message get it by accumulation."""
    whole, split = run(sample), run(sample, 1)
    assert (split.recognized, split.logins) == (whole.recognized, whole.logins)


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_no_other_recogniser_takes_it(sample):
    name, protocol, port, lines = sample
    for recognize in recognizers_for(protocol):
        flow = Play((), protocol=protocol, dst_port=port)
        for direction, data in lines[:1]:
            inspector = recognize(flow.flow, direction, data)
            if inspector is not None:
                inspector.data(direction, data, 1)
                inspector.close(2)
                assert {fact.protocol for fact in flow.of(Recognized)} <= {name}, recognize


def test_noise_is_nothing():
    rng = random.Random(7)
    taken = []
    for _ in range(4000):
        data = rng.randbytes(rng.choice((1, 3, 14, 20, 48, 64, 92, 148, 300)))
        for protocol in (6, 17):
            flow = Play((), protocol=protocol, dst_port=rng.choice((80, 443, 9999))).flow
            taken += [
                (recognize.__name__, data) for recognize in RECOGNIZERS if recognize(flow, rng.randint(0, 1), data)
            ]
    assert taken == []


def lines_of(name):
    """The conversation of the first sample of a protocol."""
    return next(lines for protocol, _, _, lines in SAMPLES if protocol == name)


def logins(*lines, port=9999, protocol=6):
    return play(recognizers_for(protocol), *lines, dst_port=port, protocol=protocol)


def test_expected_logins_of_the_samples():
    found = {sample[0]: run(sample).logins for sample in SAMPLES if run(sample).logins}
    assert found == {
        "ftp": [("ftp", "ann", True)],
        "smtp": [("smtp", "ann", True)],
        "pop3": [("pop3", "ann", False)],
        "imap": [("imap", "ann", True)],
        "telnet": [("telnet", "ann", True)],
        "nntp": [("nntp", "ann", True)],
        "xmpp": [("xmpp", "ann", True)],
        "sieve": [("sieve", "ann", True)],
        "mysql": [("mysql", "ann", True)],
        "postgresql": [("postgresql", "ann", True)],
        "redis": [("redis", "ann", True)],
        "mqtt": [("mqtt", "ann", True)],
        "socks": [("socks", "ann", True)],
        "snmp": [("snmp", None, None)],
    }


def test_expected_details_of_the_samples():
    found = {sample[0]: run(sample).recognized[sample[0]] for sample in SAMPLES}
    assert found["ssh"]["server"] == "SSH-2.0-OpenSSH_9.6"
    assert found["ssh"]["client_software"] == "libssh_0.10"
    assert found["smb"] == {"dialect": "3.1.1", "domain": "CORP", "user": "ann", "host": "PC"}
    assert found["rdp"] == {"user": "ann", "security": "credssp"}
    assert found["mysql"]["server"] == "8.0.36"
    assert found["postgresql"] == {"user": "ann", "database": "shop", "authentication": "cleartext"}
    assert found["mqtt"] == {"version": "3.1.1", "client": "sensor-1", "user": "ann", "password": "sent"}
    assert found["mongodb"] == {"command": "hello"}
    assert found["sip"] == {"method": "REGISTER", "target": "sip:h", "from": "ann@h", "to": "ann@h", "user_agent": "ua"}
    assert found["rtsp"]["target"] == "rtsp://ann:***@h/v"
    assert found["ntp"]["stratum"] == "2"
    assert found["snmp"]["version"] == "2c"
    assert found["socks"]["destination"] == "h.x:443"
    assert found["vnc"] == {"version": "003.008"}


@pytest.mark.parametrize(
    ("lines", "port"),
    [
        ([(S, b"220 x FTP\r\n"), (C, b"AUTH TLS\r\n"), (S, b"234 go\r\n")], 9999),
        (
            [
                (S, b"220 x SMTP\r\n"),
                (C, b"EHLO a\r\n"),
                (S, b"250-x\r\n250 STARTTLS\r\n"),
                (C, b"STARTTLS\r\n"),
                (S, b"220 go\r\n"),
            ],
            9999,
        ),
        ([(S, b"+OK POP3\r\n"), (C, b"STLS\r\n"), (S, b"+OK\r\n")], 9999),
        ([(S, b"* OK IMAP\r\n"), (C, b"1 STARTTLS\r\n"), (S, b"1 OK\r\n")], 9999),
        (
            [
                (C, bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"),
                (S, bytes.fromhex("300c02010178070a010004000400")),
            ],
            389,
        ),
        ([(C, bytes.fromhex("0000000804d2162f")), (S, b"S")], 5432),
        ([(S, lines_of("mysql")[0][1]), (C, b"\x20\0\0\1" + b"\x85\xae\xff\1" + bytes(28))], 3306),
        (lines_of("rdp"), 3389),
    ],
)
def test_protocols_that_change_to_tls_say_so(lines, port):
    flow = logins(*lines, port=port)
    assert flow.flow.notes["starttls"] is True
    assert not flow.more
    assert len(flow.recognized) == 1


def test_smtp_login_in_two_lines():
    flow = logins(
        (S, b"220 x ESMTP\r\n"), (C, b"EHLO a\r\n"), (S, b"250 AUTH LOGIN\r\n"), (C, b"AUTH LOGIN\r\n"), (S, b"334 VXNlcm5hbWU6\r\n"),
        (C, b"YW5u\r\n"), (S, b"334 UGFzc3dvcmQ6\r\n"), (C, b"c2VjcmV0\r\n"), (S, b"535 no\r\n"),
    )  # fmt: skip
    assert flow.logins == [("smtp", "ann", False)]
    assert "secret" not in repr(flow.facts)


def test_imap_literal_and_plain():
    literal = logins(
        (S, b"* OK IMAP\r\n"),
        (C, b"1 LOGIN {3}\r\n"),
        (S, b"+ go\r\n"),
        (C, b"ann {6}\r\n"),
        (S, b"+ go\r\n"),
        (C, b"secret\r\n"),
        (S, b"1 NO\r\n"),
    )
    assert literal.logins == [("imap", "ann", False)]
    plain = logins(
        (S, b"* OK IMAP\r\n"),
        (C, b"1 AUTHENTICATE PLAIN\r\n"),
        (S, b"+\r\n"),
        (C, b"AGFubgBzZWNyZXQ=\r\n"),
        (S, b"1 OK\r\n"),
    )
    assert plain.logins == [("imap", "ann", True)]


def test_ftp_on_another_port_by_its_commands():
    flow = logins(
        (S, b"220 hello\r\n"),
        (C, b"USER ann\r\n"),
        (S, b"331\r\n"),
        (C, b"PASS secret\r\n"),
        (S, b"530 no\r\n"),
        port=3000,
    )
    assert flow.logins == [("ftp", "ann", False)]


def test_login_whose_outcome_nobody_saw():
    assert logins((S, b"220 x FTP\r\n"), (C, b"USER ann\r\nPASS secret\r\n")).logins == [("ftp", "ann", None)]


def test_telnet_keys_one_by_one_with_echo_and_backspace():
    lines = [(S, b"\xff\xfd\x18\xff\xfb\x01\xff\xfa\x18\x01\xff\xf0"), (S, b"user login: ")]
    for key in b"anx\x7fn":
        lines += [(C, bytes([key])), (S, bytes([key]))]
    lines += [
        (C, b"\r\0"),
        (S, b"\r\nPassword: "),
        *[(C, bytes([key])) for key in b"secret"],
        (C, b"\r\n"),
        (S, b"\r\nLogin incorrect\r\nlogin: "),
    ]
    flow = logins(*lines, port=23)
    assert flow.logins == [("telnet", "ann", False)]
    assert "secret" not in repr(flow.facts)


def test_dhcp_names_with_address_and_mac():
    from tests.dpi.samples import dhcp

    name = b"\x0c\6laptop"
    flow = play(UDP_RECOGNIZERS, (C, dhcp(1, name)), (C, dhcp(3, name + b"\x32\4\xc0\0\2\7")), (S, dhcp(5, name, b"\xc0\0\2\7")),
                (C, dhcp(8, b"\x51\x0b\4\0\0\4desk\2ex\0", ciaddr=b"\xc0\0\2\x08")), protocol=17, dst_port=67)  # fmt: skip
    names = [(fact.name, fact.address, fact.mac, fact.source) for fact in flow.facts if hasattr(fact, "mac")]
    assert names == [
        ("laptop", "192.0.2.7", "02:00:00:00:00:01", "dhcp"),
        ("desk.ex", "192.0.2.8", "02:00:00:00:00:01", "dhcp"),
    ]


def test_socks_hands_on_what_follows():
    flow = logins(
        (C, b"\5\1\0"), (S, b"\5\0"), (C, b"\5\1\0\1\xc0\0\2\1\0\x50"), (S, b"\5\0\0\1" + bytes(6) + b"early")
    )
    assert flow.flow.notes == {"tunnel": True, "rest": {1: b"early"}}
    assert flow.recognized["socks"]["destination"] == "192.0.2.1:80"


def test_socks_with_an_unknown_kind_of_address_ends():
    assert not logins((C, b"\5\1\0"), (S, b"\5\0"), (C, b"\5\1\0\x77" + b"www.example.org and more")).more


def test_a_login_of_rtsp_is_told_with_its_outcome():
    asked = b"DESCRIBE rtsp://10.0.0.9/live RTSP/1.0\r\nCSeq: 2\r\n"
    basic = b"Authorization: Basic YW5uOnNlY3JldA==\r\n"
    refused = b"RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nServer: cam\r\n\r\n"
    described = b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    flow = logins((C, asked + b"\r\n"), (S, refused), (C, asked + basic + b"\r\n"), (S, refused), (C, asked + basic + b"\r\n"), (S, described))  # fmt: skip
    assert flow.logins == [("rtsp", "ann", False), ("rtsp", "ann", True)]
    assert flow.recognized["rtsp"] == {
        "method": "DESCRIBE",
        "target": "rtsp://10.0.0.9/live",
        "status": "401",
        "server": "cam",
    }
    assert not flow.more
    assert "secret" not in repr(flow.facts)
    assert logins((C, asked + basic + b"\r\n")).logins == [("rtsp", "ann", None)]
    media = logins((C, asked + b"\r\n"), (S, b"$\0\5\xdc" + bytes(1500)))
    assert not media.more


def test_logins_of_nntp():
    plain = base64.b64encode(b"\0ann\0secret")
    greeting = (S, b"201 InterNetNews NNRP server ready\r\n")
    assert logins(greeting, (C, b"AUTHINFO SASL PLAIN " + plain + b"\r\n"), (S, b"481 no\r\n")).logins == [
        ("nntp", "ann", False)
    ]
    assert logins(
        greeting, (C, b"AUTHINFO SASL PLAIN\r\n"), (S, b"383 =\r\n"), (C, plain + b"\r\n"), (S, b"281 yes\r\n")
    ).logins == [("nntp", "ann", True)]
    changed = logins(greeting, (C, b"STARTTLS\r\n"), (S, b"382 go on\r\n"))
    assert changed.flow.notes["starttls"] is True
    unnamed = logins((S, b"200 ready\r\n"), (C, b"MODE READER\r\n"), (S, b"200 ready\r\n"), (C, b"GROUP a.b\r\n"))
    assert unnamed.recognized["nntp"]["group"] == "a.b"
    assert "nntp" not in logins((S, b"200 ready\r\n"), (C, b"USER ann\r\n")).recognized


PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.mark.parametrize(
    ("header", "source", "destination"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.9 52176 443\r\n", "192.0.2.1:52176", "192.0.2.9:443"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 5 443\r\n", "[2001:db8::1]:5", "[2001:db8::2]:443"),
        (b"PROXY UNKNOWN\r\n", None, None),
        (PROXY_2 + b"\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\x09\xcb\xd0\1\xbb", "192.0.2.1:52176", "192.0.2.9:443"),
        (PROXY_2 + b"\x20\0\0\0", None, None),
    ],
)
def test_the_proxy_protocol_names_the_ends_and_hands_on_what_follows(header, source, destination):
    flow = logins((C, header + b"SSH-2.0-x\r\n"))
    assert flow.flow.notes == {"tunnel": True, "rest": {0: b"SSH-2.0-x\r\n"}}
    said = flow.recognized["proxy"]
    assert (said.get("source"), said.get("destination")) == (source, destination)


def test_a_header_of_the_proxy_protocol_in_pieces():
    header = PROXY_2 + b"\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\x09\xcb\xd0\1\xbb"
    flow = logins((C, header[:14]), (C, header[14:20]), (C, header[20:] + b"rest"))
    assert flow.flow.notes == {"tunnel": True, "rest": {0: b"rest"}}
    assert "proxy" not in logins((C, PROXY_2 + b"\x21\x11\xff\xff"), (C, bytes(5000))).recognized  # longer than any


def test_passwords_in_addresses_are_masked():
    flow = logins((C, b"GET ftp://ann:se@cret@h/x HTTP/1.1\r\nReferer: http://bob:secret@h/\r\n\r\n"))
    assert flow.http[0].uri == "ftp://ann:***@h/x"
    assert flow.http[0].referrer == "http://bob:***@h/"
    sip = logins((C, b"INVITE sip:ann:secret@h SIP/2.0\r\nFrom: sip:ann:secret@h\r\n\r\n"), protocol=17)
    assert sip.recognized["sip"] == {"method": "INVITE", "target": "sip:ann@h", "from": "ann@h"}


def test_endless_lines_are_bounded():
    flow = Play(TCP_RECOGNIZERS).say(S, b"220 x FTP\r\n")
    for _ in range(200):
        flow.say(C, b"x" * 1000)
    assert sum(map(len, flow.inspector._begun)) <= 16 << 10


pieces = st.sampled_from([data for _, _, _, lines in SAMPLES for _, data in lines]) | st.binary(max_size=30)


@settings(max_examples=300, deadline=None)
@given(
    sample=st.sampled_from(SAMPLES),
    more=st.lists(st.tuples(st.sampled_from([C, S]), pieces | st.integers(1, 50)), max_size=15),
    data=st.data(),
)
def test_nothing_raises(sample, more, data):
    _, protocol, port, lines = sample
    flow = Play(recognizers_for(protocol), protocol=protocol, dst_port=port)
    kept = data.draw(st.integers(0, len(lines)))
    for direction, what in [*lines[:kept], *more]:
        if isinstance(what, int):
            flow.gap(direction, what)
            continue
        changed = bytearray(what)
        for _ in range(data.draw(st.integers(0, 2))):
            if changed:
                changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        flow.say(direction, bytes(changed))
    flow.close()


def test_xmpp_logins_by_the_older_query_in_pieces_and_refused():
    opening = (C, b"<stream:stream to='x.org' xmlns='jabber:client'>")
    query = b"<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>ann</username><password>secret</password></query></iq>"
    pieces = [(C, query[at : at + 20]) for at in range(0, len(query), 20)]
    assert logins(opening, *pieces, (S, b"<iq type='error' id='1'/>")).logins == [("xmpp", "ann", False)]
    assert logins(opening, (C, query), (S, b"<iq type='result' id='1'/>")).logins == [("xmpp", "ann", True)]
    scram = (C, b"<auth mechanism='SCRAM-SHA-1'>biwsbj1hbm4=</auth>")
    assert logins(opening, scram, (S, b"<success/>")).logins == []  # no readable password
    assert "xmpp" not in logins((C, b"<?xml version='1.0'?><rss/>")).recognized


def test_sieve_logins_in_two_lines_and_refused():
    greeting = (S, b'"IMPLEMENTATION" "x"\r\nOK\r\n')
    asked = (C, b'AUTHENTICATE "PLAIN"\r\n')
    assert logins(greeting, asked, (S, b'""\r\n'), (C, b'"AGFubgBzZWNyZXQ="\r\n'), (S, b'NO "no"\r\n')).logins == [
        ("sieve", "ann", False)
    ]


def test_communities_of_snmp_are_told_apart_and_never_kept():
    def asked(community):
        body = (
            b"\2\1\1\4"
            + bytes([len(community)])
            + community
            + bytes.fromhex("a019020400000001020100020100300b300906052b060102010500")
        )
        return (C, b"0" + bytes([len(body)]) + body)

    told = logins(*(asked(one) for one in (b"public", b"private", b"public", b"cisco")), port=161, protocol=17)
    marks = [fact.subject for fact in told.facts if isinstance(fact, Action)]
    assert len(marks) == len(set(marks)) == 3
    assert told.logins == [("snmp", None, None)]
    assert not any(secret in repr(told.facts) for secret in ("public", "private", "cisco"))


def test_a_login_over_json_is_no_miners_without_a_sign():
    assert logins((C, b'{"id":1,"method":"login","params":{"user":"ann","pass":"secret"}}\n')).recognized == {}
    assert logins((C, b'{"id":1,"method":"eth_blockNumber","params":[]}\n')).recognized == {}
