"""First messages of many protocols, made by hand from their specifications: (recognised as, transport, port, lines)."""

import base64

from tests.dpi.flows import C, S


def nbss(body):
    return b"\0" + len(body).to_bytes(3, "big") + body


def mysql(sequence, body):
    return len(body).to_bytes(3, "little") + bytes([sequence]) + body


def postgres(body, kind=b""):
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def mongo(opcode, body):
    return (16 + len(body)).to_bytes(4, "little") + bytes(8) + opcode.to_bytes(4, "little") + body


def ntlm(user, domain, host):
    texts = [text.encode("utf-16-le") for text in (domain, user, host)]
    offset, fields = 64, b""
    for text in texts:
        fields += len(text).to_bytes(2, "little") * 2 + offset.to_bytes(4, "little")
        offset += len(text)
    return b"NTLMSSP\0\3\0\0\0" + bytes(16) + fields + bytes(8) + b"\1\0\0\0" + b"".join(texts)


def dhcp(kind, options=b"", yiaddr=b"\0\0\0\0", ciaddr=b"\0\0\0\0"):
    head = (
        bytes([1 if kind in (1, 3, 8) else 2, 1, 6, 0])
        + bytes(8)
        + ciaddr
        + yiaddr
        + bytes(8)
        + bytes.fromhex("020000000001")
        + bytes(10)
    )
    return head + bytes(192) + b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + options + b"\xff"


def text(value):
    return len(value).to_bytes(2, "big") + value


PLAIN = base64.b64encode(b"\0ann\0secret")
MYSQL_GREETING = mysql(
    0,
    b"\x0a8.0.36\0"
    + bytes(4)
    + b"12345678\0\xff\xf7"
    + b"\x21\2\0\xff\xdf\x15"
    + bytes(10)
    + b"123456789012\0caching_sha2_password\0",
)
MYSQL_LOGIN = mysql(
    1,
    (0x0A8D).to_bytes(4, "little")[:1]
    + b"\xa2\0\0"
    + bytes(4)
    + b"\x21"
    + bytes(23)
    + b"ann\0"
    + b"\x14"
    + b"s" * 20
    + b"shop\0",
)
MQTT_BODY = text(b"MQTT") + b"\4\xc2\0\x3c" + text(b"sensor-1") + text(b"ann") + text(b"secret")
SMB2_NEGOTIATED = (
    b"\xfeSMB"
    + bytes([64, 0])
    + bytes(6)
    + b"\0\0"
    + b"\1\0"
    + b"\1"
    + bytes(47)
    + b"\x41\0\1\0"
    + b"\x11\3"
    + bytes(60)
)
STARTUP = postgres(b"\0\3\0\0user\0ann\0database\0shop\0\0")
XMPP_STREAM = b"<?xml version='1.0'?><stream:stream to='x.org' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
XMPP_AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + PLAIN + b"</auth>"
WIREGUARD = b"\1\0\0\0" + bytes(range(144))

SAMPLES = [
    ("http", 6, 80, [(C, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), (S, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]),
    ("http", 6, 80, [(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")]),
    ("ssh", 6, 2222, [(S, b"SSH-2.0-OpenSSH_9.6\r\n"), (C, b"SSH-2.0-libssh_0.10 x\r\n")]),
    ("ftp", 6, 21, [(S, b"220 ready\r\n"), (C, b"USER ann\r\n"), (S, b"331 pw\r\n"), (C, b"PASS secret\r\n"), (S, b"230 in\r\n")]),
    ("smtp", 6, 26, [(S, b"220 mx ESMTP x\r\n"), (C, b"EHLO me\r\n"), (S, b"250 ok\r\n"), (C, b"AUTH PLAIN " + PLAIN + b"\r\n"), (S, b"235 ok\r\n")]),
    ("pop3", 6, 110, [(S, b"+OK hi\r\n"), (C, b"USER ann\r\n"), (S, b"+OK\r\n"), (C, b"PASS secret\r\n"), (S, b"-ERR no\r\n")]),
    ("imap", 6, 999, [(S, b"* OK IMAP4rev1 hi\r\n"), (C, b'a1 LOGIN "ann" secret\r\n'), (S, b"a1 OK in\r\n")]),
    ("telnet", 6, 23, [(S, b"\xff\xfd\x18\xff\xfb\x01login: "), (C, b"ann\r\n"), (S, b"Password: "), (C, b"secret\r\n"), (S, b"\r\nLast login: now\r\n$ ")]),
    ("sip", 17, 5060, [(C, b"REGISTER sip:h SIP/2.0\r\nFrom: <sip:ann@h>;tag=1\r\nTo: <sip:ann@h>\r\nUser-Agent: ua\r\n\r\n")]),
    ("rtsp", 6, 554, [(C, b"OPTIONS rtsp://ann:secret@h/v RTSP/1.0\r\nUser-Agent: vlc\r\n\r\n")]),
    ("nntp", 6, 119, [(S, b"200 news.example.org ready\r\n"), (C, b"AUTHINFO USER ann\r\n"), (S, b"381 more\r\n"), (C, b"AUTHINFO PASS secret\r\n"), (S, b"281 in\r\n")]),
    ("xmpp", 6, 5222, [(C, XMPP_STREAM), (S, XMPP_STREAM + b"<stream:features/>"), (C, XMPP_AUTH), (S, b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")]),
    ("sieve", 6, 4190, [(S, b'"IMPLEMENTATION" "Dovecot"\r\n"SASL" "PLAIN"\r\nOK "ready"\r\n'), (C, b'AUTHENTICATE "PLAIN" "' + PLAIN + b'"\r\n'), (S, b'OK "in"\r\n')]),
    ("stratum", 6, 3333, [(C, b'{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5"]}\n'), (S, b'{"id":1,"result":[]}\n')]),
    ("stratum", 6, 9999, [(C, b'{"worker": "eth1.0", "jsonrpc": "2.0", "params": ["0x9c99d2", "secret"], "id": 2, "method": "eth_submitLogin"}\n')]),
    ("stratum", 6, 80, [(C, b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4abc","pass":"secret","agent":"XMRig/6.21","algo":["rx/0"]}}\n')]),
    ("ssdp", 17, 1900, [(C, b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nST: ssdp:all\r\n\r\n")]),
    ("smb", 6, 445, [(C, nbss(b"\xfeSMB" + bytes(96))), (S, nbss(SMB2_NEGOTIATED)), (C, nbss(b"\xfeSMB" + bytes(60) + ntlm("ann", "CORP", "PC")))]),
    ("rdp", 6, 3389, [(C, b"\3\0\0\x29\x24\xe0\0\0\0\0\0Cookie: mstshash=ann\r\n\1\0\x08\0\3\0\0\0"), (S, b"\3\0\0\x13\x0e\xd0\0\0\0\0\0\2\0\x08\0\2\0\0\0")]),
    ("mysql", 6, 3306, [(S, MYSQL_GREETING), (C, MYSQL_LOGIN), (S, mysql(2, b"\0\0\0\2\0\0\0"))]),
    ("postgresql", 6, 5432, [(C, STARTUP), (S, postgres(b"\0\0\0\3", b"R")), (C, postgres(b"secret\0", b"p")), (S, postgres(b"\0\0\0\0", b"R"))]),
    ("redis", 6, 6379, [(C, b"*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$6\r\nsecret\r\n"), (S, b"+OK\r\n")]),
    ("mongodb", 6, 27017, [(C, mongo(2013, bytes(5) + b"\x20\0\0\0\x10hello\0\1\0\0\0" + bytes(21)))]),
    ("mqtt", 6, 1883, [(C, b"\x10" + bytes([len(MQTT_BODY)]) + MQTT_BODY), (S, b"\x20\2\0\0")]),
    ("socks", 6, 1080, [(C, b"\5\1\2"), (S, b"\5\2"), (C, b"\1\3ann\6secret"), (S, b"\1\0"), (C, b"\5\1\0\3\3h.x\1\xbb"), (S, b"\5\0\0\1" + bytes(6))]),
    ("vnc", 6, 5900, [(S, b"RFB 003.008\n")]),
    ("dhcp", 17, 67, [(C, dhcp(3, b"\x0c\6laptop\x32\4\xc0\0\2\7\x3c\4MSFT"))]),
    ("ntp", 17, 123, [(C, b"\x23" + bytes(47)), (S, b"\x24\2" + bytes(10) + bytes([192, 0, 2, 9]) + bytes(32))]),
    ("snmp", 17, 161, [(C, b"\x30\x26\2\1\1\4\6secret\xa0\x19\2\1\1\2\1\0\2\1\0\x30\x0e\x30\x0c\6\x08\x2b\6\1\2\1\1\2\0\5\0")]),
    ("stun", 17, 3478, [(C, b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12))]),
    ("bittorrent", 6, 6881, [(C, b"\x13BitTorrent protocol" + bytes(8) + b"\xab" * 20 + b"-UM1860-" + bytes(12))]),
    ("bittorrent", 17, 6881, [(C, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")]),
    ("wireguard", 17, 51820, [(C, WIREGUARD)]),
    ("openvpn", 17, 443, [(C, b"\x38" + b"12345678" + bytes(5))]),
]  # fmt: skip
