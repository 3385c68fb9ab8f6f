"""Detectors of conversations: the attack, the harmless traffic that looks like it, and the limit."""

from __future__ import annotations

import base64
import random

import pytest

from app.detect.block_list import BlockList, entry_of
from app.detect.blocked_destination import BlockedDestination
from app.detect.brute_force import BruteForce
from app.detect.cleartext_credentials import CleartextCredentials
from app.detect.data_theft import DataTheft
from app.detect.dga import GeneratedDomains
from app.detect.dns_spoof import DnsSpoof
from app.detect.dns_tunnel import DnsTunnel
from app.detect.domains import looks_encoded, registered_domain
from app.detect.exploits import Exploits
from app.detect.lateral_movement import LateralMovement
from app.detect.protocol_tunnel import ProtocolTunnel
from app.detect.remote_control import RemoteControl
from app.detect.session_guessing import SessionGuessing
from app.detect.telephone_abuse import TelephoneAbuse
from app.detect.tls_trust import TlsTrust
from app.dpi.facts import (
    Action,
    Certificate,
    CleartextLogin,
    DnsAnswer,
    DnsTransaction,
    LoginAttempt,
    Recognized,
    TlsClientHello,
    TlsServerHello,
)
from tests.detect.scene import START, Scene, request


def query(name: str, kind: str = "A", rcode: str | None = "NOERROR", *addresses: str) -> DnsTransaction:
    answers = [DnsAnswer(name, "A", 60, address) for address in addresses]
    return DnsTransaction(1, START, "10.0.0.5", "10.0.0.1", name, kind, rcode, answers, latency_ns=1000)


def act(protocol: str, name: str, subject: str = "", sender: int = 0, **details: str) -> Action:
    return Action(1, START, protocol, name, subject, sender, details)


def failed(user: str | None = "root", protocol: str = "ftp", succeeded: bool | None = False) -> CleartextLogin:
    return CleartextLogin(1, START, protocol, user, succeeded)


# -- DNS -----------------------------------------------------------------------------------------------------------


def test_a_tunnel_in_names() -> None:
    rng = random.Random(1)
    names = [base64.b32encode(rng.randbytes(30)).decode().lower().rstrip("=") + ".t.example.com" for _ in range(25)]
    scene = Scene(DnsTunnel).tell(*(query(name, "TXT") for name in names[:24]))
    assert not scene.said
    assert scene.tell(query(names[24], "TXT")).rules == ["dns_tunnel"]
    assert scene.said[0].details["domain"] == "example.com"


def test_many_ordinary_names_are_no_tunnel() -> None:
    hosts = [f"{word}{number}.cdn.example.com" for number in range(20) for word in ("img", "static", "www")]
    reverse = [f"{number}.2.0.192.in-addr.arpa" for number in range(60)]
    hashes = [f"{'0123456789abcdef' * 2}.example.com"] * 60  # one long name again and again
    assert not Scene(DnsTunnel).tell(*map(query, hosts + reverse + hashes)).said


def test_a_file_in_one_name() -> None:
    text = (
        base64.b64encode(b"\x1f\x8b\x08\x00" + bytes(range(60)))
        .decode()
        .rstrip("=")
        .replace("+", "-")
        .replace("/", "_")
    )
    assert Scene(DnsTunnel).tell(query(f"{text[:60]}.{text[60:]}.example.com")).rules == ["dns_exfiltration"]


def test_generated_names() -> None:
    rng = random.Random(2)
    noise = ["".join(rng.choices("bcdfghjklmnpqrstvwxz0123456789", k=14)) + ".com" for _ in range(10)]
    assert not Scene(GeneratedDomains).tell(*(query(name, "A", "NXDOMAIN") for name in noise[:9])).said
    assert Scene(GeneratedDomains).tell(*(query(name, "A", "NXDOMAIN") for name in noise)).rules == ["dga"]
    typed = [f"{word}store.com" for word in ("book", "music", "garden", "flower", "house", "paper", "water", "table", "summer", "winter", "kitchen")]  # fmt: skip
    assert not Scene(GeneratedDomains).tell(*(query(name, "A", "NXDOMAIN") for name in typed)).said


def test_two_answers_to_one_question() -> None:
    def second(first: str, then: str) -> list[str]:
        fact = act(
            "dns",
            "second_answer",
            "www.example.com",
            1,
            first=first,
            second=then,
            first_ttl="60",
            second_ttl="60",
            type="A",
        )
        return Scene(DnsSpoof).flow(server="10.0.0.1", port=53, protocol=17).tell(fact).rules

    assert second("NOERROR 203.0.113.5", "NOERROR 198.51.100.9") == ["dns_spoof"]
    assert second("NOERROR 203.0.113.5", "NOERROR 203.0.113.77") == []  # of one network: a server that rotates


def test_one_host_that_answers_for_everybody() -> None:
    scene = Scene(DnsSpoof)
    for name in ("wpad", "fileserv", "printr"):
        fact = DnsTransaction(
            1,
            START,
            "10.0.0.5",
            "10.0.0.66",
            name,
            "A",
            "NOERROR",
            [DnsAnswer(name, "A", 30, "10.0.0.66")],
            10,
            kind="llmnr",
        )
        scene.tell(fact)
    assert scene.rules == ["name_poisoning"]


def test_registered_domains_and_encoded_labels() -> None:
    assert registered_domain("a.b.example.co.uk") == "example.co.uk"
    assert registered_domain("x.duckdns.org") == "x.duckdns.org"
    assert looks_encoded("4b2f9c0e81d7a65f3e")
    assert not looks_encoded("customer-service-portal")


# -- passwords -----------------------------------------------------------------------------------------------------


def test_brute_force_at_the_limit_and_the_login_after_it() -> None:
    scene = Scene(BruteForce).flow(port=21).tell(*(failed() for _ in range(4)))
    assert not scene.said
    scene.tell(failed())
    assert (scene.rules, scene.said[0].severity) == (["brute_force"], "medium")
    scene.tell(failed(succeeded=True))
    assert scene.said[-1].severity == "high"
    assert "logged in" in scene.said[-1].reason


def test_slow_mistakes_are_no_brute_force() -> None:
    assert not Scene(BruteForce).tell(*(failed() for _ in range(10)), after=61).said


def test_a_spray_over_users() -> None:
    scene = Scene(BruteForce).flow(port=88)
    for number in range(6):
        scene.tell(LoginAttempt(1, START, "kerberos", f"user{number}", False, "wrong password"))
    assert "password_spray" in scene.rules


def test_many_clients_at_one_service() -> None:
    scene = Scene(BruteForce)
    for number in range(8):
        scene.flow(client=f"203.0.113.{number}", port=143).tell(failed(protocol="imap"))
    assert scene.rules == ["brute_force_distributed"]
    assert scene.said[0].source is None


def test_many_short_ssh_connections() -> None:
    scene = Scene(SessionGuessing)
    for _ in range(6):
        scene.flow(port=22).tell(Recognized(1, START, "ssh", {"client_software": "libssh_0.7.3"}))
    assert not scene.said  # not before the flow table was asked
    scene.detector.on_end(scene.ts)
    assert (scene.rules, scene.said[0].severity) == (["brute_force_sessions"], "high")
    few = Scene(SessionGuessing)
    for _ in range(6):
        few.flow(port=22).tell(Recognized(1, START, "ssh"), after=20)
    few.detector.on_end(few.ts)
    assert not few.said


def test_readable_logins() -> None:
    scene = Scene(CleartextCredentials).flow(port=21).tell(failed("ann", succeeded=True), failed("ann", succeeded=True))
    assert (scene.rules, scene.said[0].severity) == (["cleartext_credentials"], "medium")
    assert not Scene(CleartextCredentials).tell(failed("anonymous", succeeded=True)).said
    form = request("/login", "POST", b"username=ann&password=geheim%21")
    scene = Scene(CleartextCredentials).tell(form)
    assert scene.rules == ["cleartext_credentials"]
    assert "geheim" not in repr(scene.said)
    assert not Scene(CleartextCredentials).tell(request("/compass?passage=3&user=1", "GET")).said


# -- TLS -----------------------------------------------------------------------------------------------------------


def handshake(
    scene: Scene, name: str | None, version: str = "TLS 1.2", cipher: str = "TLS_AES_128_GCM_SHA256", **of: object
) -> Scene:
    """A ClientHello and the answer to it; `of` are fields of the certificate."""
    day = 86_400 * 10**9
    values: dict[str, object] = {
        "subject": "CN=www.example.com,O=Example", "issuer": "CN=CA,O=CA", "serial": "1", "not_before": START - day, "not_after": START + 90 * day,
        "names": ["www.example.com"], "key": "RSA 2048", "signature": "sha256WithRSAEncryption", "self_signed": False, "sha256": "0",
    } | of  # fmt: skip
    hello = TlsClientHello(1, START, "tls", name, [], version, "", "")
    return scene.tell(hello, TlsServerHello(1, START, version, cipher, None, [Certificate(**values)]))  # type: ignore[arg-type]


def test_certificates_and_versions() -> None:
    assert not handshake(Scene(TlsTrust).flow(port=443), "www.example.com").said
    assert handshake(Scene(TlsTrust).flow(port=443), "www.example.com", "TLS 1.0").rules == ["weak_tls"]
    assert handshake(Scene(TlsTrust).flow(port=443), "www.example.com", not_after=START - 1).rules == [
        "bad_certificate"
    ]
    assert handshake(Scene(TlsTrust).flow(port=443), "other.example.org").rules == ["bad_certificate"]
    tool = handshake(
        Scene(TlsTrust).flow(port=6606),
        None,
        subject="CN=AsyncRAT Server",
        issuer="CN=AsyncRAT Server",
        self_signed=True,
    )
    assert "c2_certificate" in tool.rules


def test_what_is_harmless_alone_adds_up() -> None:
    odd = handshake(Scene(TlsTrust).flow(port=4041), None, "TLS 1.0", subject="CN=x", issuer="CN=x", self_signed=True, not_after=START + 30 * 365 * 86_400 * 10**9)  # fmt: skip
    assert ("suspicious_tls", "medium") in [(one.rule, one.severity) for one in odd.said]
    vpn = handshake(
        Scene(TlsTrust).flow(server="45.33.32.156", port=4287),
        None,
        subject="CN=vpn,O=Maker",
        issuer="CN=vpn,O=Maker",
        self_signed=True,
    )
    assert ("suspicious_tls", "low") in [(one.rule, one.severity) for one in vpn.said]
    camera = handshake(Scene(TlsTrust).flow(server="192.168.1.20", port=443), None, subject="CN=cam,O=Maker", issuer="CN=cam,O=Maker", self_signed=True)  # fmt: skip
    assert not [one for one in camera.said if one.severity != "low"]


# -- exploits and movement -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ([act("tls", "heartbeat_overread", kind="request", claimed="16384", record="3")], "exploit_heartbleed"),
        ([act("tls", "heartbeat_sealed", record="55"), act("tls", "heartbeat_sealed", "", 1, record="16384")], "exploit_heartbleed"),
        ([act("smb", "nt_trans", bytes="66512"), act("smb", "trans2_secondary"), act("smb", "trans2_secondary")], "exploit_eternalblue"),
        ([act("smb", "trans2_multiplex_81", "", 1)], "exploit_eternalblue"),
        ([act("smb", "compression_overflow")], "exploit_smb"),
        ([act("dcerpc", "call", "netlogon.26", credential="zero")] * 3, "exploit_zerologon"),
        ([act("dcerpc", "call", "spoolss.89")], "exploit_rpc"),
        ([act("ftp", "port", "198.51.100.99", port="80")], "ftp_bounce"),
        ([act("rdp", "channel_ms_t120")], "exploit_rdp"),
        ([act("ldap", "java_reference", "", 1)], "exploit_jndi_answer"),
        ([DnsTransaction(1, START, "a", "b", "9.example.com", "SIG", "NOERROR", [DnsAnswer("9.example.com", "SIG", 30, "x" * 5000)])], "exploit_sigred"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_exploits(facts: list[object], rule: str) -> None:
    assert rule in Scene(Exploits).tell(*facts).rules  # type: ignore[arg-type]


def test_steps_that_have_other_uses_are_no_exploits() -> None:
    scene = Scene(Exploits)
    scene.tell(
        act("ftp", "port", "10.0.0.5", port="50000"),
        act("smb", "nt_trans", bytes="1000"),
        act("smb", "trans2_secondary"),
    )
    scene.tell(act("dcerpc", "call", "netlogon.26"), act("tls", "heartbeat", kind="request", claimed="16", record="35"))
    scene.tell(act("tls", "heartbeat_sealed", record="60"), act("tls", "heartbeat_sealed", "", 1, record="60"))
    assert not scene.said


@pytest.mark.parametrize(
    ("facts", "rule", "severity"),
    [
        ([act("smb", "tree_connect", r"\\srv\ADMIN$"), act("smb", "write_file", "PSEXESVC.exe", kind="executable")], "lateral_execution", "high"),
        ([act("dcerpc", "call", "svcctl.12")], "lateral_execution", "high"),
        ([act("dcerpc", "call", "wmi.24")], "lateral_execution", "medium"),
        ([act("dcerpc", "call", "drsuapi.3")], "dcsync", "critical"),
        ([act("dcerpc", "call", "samr.13"), act("dcerpc", "call", "samr.15")], "recon_ad", "medium"),
        ([act("ldap", "search", "DC=x", scope="subtree", filter="(&(objectCategory=person)(servicePrincipalName=*))")], "recon_ad", "medium"),
        ([act("kerberos", "tgs_rep", f"MSSQL/{n}", 1, etype="rc4-hmac") for n in range(2)], "kerberoast", "high"),
        ([act("kerberos", "as_rep", "krbtgt/X", 1, proof="no", reply_etype="rc4-hmac", client="bob")], "kerberoast", "medium"),
        ([act("kerberos", "as_rep", "krbtgt/X", 1, proof="no", reply_etype="des-cbc-crc", client="bob")], "kerberoast", "low"),
        ([act("dcerpc", "call", "epm.2")], "recon_rpc", "medium"),
    ],
)  # fmt: skip
def test_movement(facts: list[Action], rule: str, severity: str) -> None:
    scene = Scene(LateralMovement).flow(server="10.0.0.9", port=445).tell(*facts)
    assert (rule, severity) in [(one.rule, one.severity) for one in scene.said]


def test_ordinary_use_of_shares_and_tickets() -> None:
    scene = Scene(LateralMovement).flow(server="10.0.0.9", port=445)
    scene.tell(
        act("smb", "tree_connect", r"\\srv\docs"),
        act("smb", "open", "a.docx"),
        act("smb", "write_file", "a.docx", kind=""),
    )
    scene.tell(
        act("kerberos", "tgs_rep", "cifs/srv", 1, etype="aes256"),
        act("dcerpc", "call", "srvsvc.16"),
        act("dcerpc", "call", "epm.3"),
    )
    assert not scene.said


def test_a_client_that_logs_on_lists_nothing() -> None:
    scene = Scene(LateralMovement).flow(server="10.0.0.9", port=445)
    assert not scene.tell(*(act("dcerpc", "call", f"samr.{number}") for number in (64, 5, 6, 7, 17, 34, 36, 1))).said
    assert [one.severity for one in scene.tell(act("dcerpc", "call", "samr.13")).said] == ["low"]


def test_shells_reports_and_tunnels() -> None:
    assert Scene(RemoteControl).tell(act("plain", "shell", "output of id")).rules == ["reverse_shell"]
    assert Scene(RemoteControl).tell(act("plain", "shell", "output of id", 1)).rules == ["bind_shell"]
    assert Scene(RemoteControl).tell(act("plain", "report", "njRAT")).rules == ["rat_c2"]
    assert Scene(ProtocolTunnel).tell(act("websocket", "carries", "ssh")).rules == ["tunnel"]
    moved = Scene(ProtocolTunnel).flow(port=443).tell(Recognized(1, START, "ssh"))
    assert [(one.rule, one.severity) for one in moved.said] == [("unusual_port", "medium")]
    assert not Scene(ProtocolTunnel).flow(port=22).tell(Recognized(1, START, "ssh")).said


def test_reports_of_stealers() -> None:
    assert Scene(DataTheft).tell(act("smtp", "mail", "PW_admin/USER-PC")).rules == ["data_exfil"]
    assert not Scene(DataTheft).tell(act("smtp", "mail", "Password policy for the new year")).said


def test_dialling_programs() -> None:
    scene = Scene(TelephoneAbuse).flow(client="203.0.113.7", server="192.168.1.5", port=5060, protocol=17)
    for prefix in ("00", "900", "011", "9011", "000"):
        scene.tell(act("sip", "invite", "", to=f"{prefix}442071234567@192.168.1.5", call_id=prefix))
    assert "toll_fraud" in scene.rules
    call = Scene(TelephoneAbuse).flow(client="192.168.1.2", server="192.168.1.5", port=5060, protocol=17)
    call.tell(act("sip", "invite", "", to="004930123456@192.168.1.5", call_id="a"), act("sip", "bye", "", call_id="a"))
    assert not call.said


# -- block lists ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("0.0.0.0 ads.example.com # comment", "ads.example.com"),
        ("evil.example", "evil.example"),
        ("||evil.example^", "evil.example"),
        ('"2023-01-01 10:00:00","http://203.0.113.9:8080/a.exe","online"', "203.0.113.9/32"),
        ("203.0.113.0/24 ; SBL123", "203.0.113.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("# nothing", "None"),
        ("127.0.0.1 localhost", "None"),
        ("12345", "None"),
    ],
)
def test_lines_of_block_lists(line: str, entry: str) -> None:
    assert str(entry_of(line)) == entry


def test_contacts_with_block_listed_names() -> None:
    lists = BlockList()
    lists.read(
        "mine.txt",
        ["evil.example", "203.0.113.0/24", "nonsense here", "# category: tor", "relay.example", "198.51.100.9"],
    )
    assert (len(lists.compile()), lists.refused) == (4, 1)
    assert lists.address("203.0.113.77") == ("mine.txt", "block")
    assert lists.address("198.51.100.9") == ("mine.txt", "tor")
    assert lists.address("203.0.114.1") is None
    scene = Scene(BlockedDestination)
    scene.context.block_list = lists
    assert scene.tell(query("www.evil.example"), query("notevil.example")).rules == ["blocked_domain"]
    assert scene.said[0].target == "evil.example"
    assert scene.tell(query("relay.example")).rules[1:] == ["anonymous_network"]
    assert (scene.said[1].severity, scene.said[1].details["category"]) == ("low", "tor")
    assert "list of Tor's relays mine.txt" in scene.said[1].reason
