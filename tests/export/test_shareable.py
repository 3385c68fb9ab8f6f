"""What is given away says nobody's name: reference pseudonyms, prefixes kept, and nothing of the true values anywhere."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.export.archive import zipped
from app.export.pseudonyms import Pseudonyms
from app.export.shareable import Shareable

# The key and the pairs of the reference implementation's sample trace.
KEY = bytes(
    [21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2]
)  # fmt: skip
PAIRS = (
    ("128.11.68.132", "135.242.180.132"),
    ("129.118.74.4", "134.136.186.123"),
    ("130.132.252.244", "133.68.164.234"),
    ("141.223.7.43", "141.167.8.160"),
    ("141.233.145.108", "141.129.237.235"),
    ("152.163.225.39", "151.140.114.167"),
    ("156.29.3.236", "147.225.12.42"),
    ("165.247.96.84", "162.9.99.234"),
    ("166.107.77.190", "160.132.178.185"),
    ("192.102.249.13", "252.138.62.131"),
)


@pytest.mark.parametrize(("address", "pseudonym"), PAIRS)
def test_pseudonyms_are_those_of_the_reference(address: str, pseudonym: str) -> None:
    assert Pseudonyms(KEY).address(address) == pseudonym


def shared_bits(a: Any, b: Any) -> int:
    width = a.max_prefixlen
    return width - (int(a) ^ int(b)).bit_length()


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_prefixes_are_kept(a: Any, b: Any) -> None:
    made = Pseudonyms(KEY)
    assert shared_bits(*(ipaddress.ip_address(made.address(str(one))) for one in (a, b))) == shared_bits(a, b)


@given(st.ip_addresses(v=6), st.integers(0, 127))
def test_prefixes_of_the_new_addresses_too(a: Any, bit: int) -> None:
    made, b = Pseudonyms(KEY), ipaddress.IPv6Address(int(a) ^ 1 << bit)
    assert shared_bits(*(ipaddress.ip_address(made.address(str(one))) for one in (a, b))) == 127 - bit


def test_names_share_what_they_shared() -> None:
    made = Pseudonyms(KEY)
    first, second = made.name("www.example.com").split("."), made.name("mail.example.com").split(".")
    assert first[1:] == second[1:]
    assert first[0] != second[0]
    assert first[2] == "com"
    assert made.name("WWW.example.com") == made.name("www.example.com")
    assert made.hardware("00:11:22:33:44:55").startswith("02:")


SECRET = {
    "local_address": "192.168.7.9:5001", "remote_address": "[2001:db8::77]:443", "hostname": "secret-host.corp.example",
    "server_name": "vpn.corp.example", "app_path": "/home/alice/bin/x", "community_id": "1:abc", "username": "alice", "uri": "/patient/17",
    "answers": ["A 203.0.113.99", "CNAME hidden.corp.example"], "remote_mac": "00:11:22:33:44:55", "something_new": "alice's laptop",
    "attribution": {"method": "proc", "reason": "pid 7 of alice"}, "flow": {"src_ip": "192.168.7.9", "community_id": "1:abc"},
}  # fmt: skip
HIDDEN = (
    "192.168.7",
    "2001:db8",
    "secret-host",
    "corp",
    "alice",
    "1:abc",
    "patient",
    "203.0.113",
    "hidden",
    "00:11:22",
)


def test_nothing_true_is_left() -> None:
    share = Shareable(Pseudonyms())
    text = json.dumps(share.document({**SECRET, "protocol": "tcp", "bytes_sent": 17, "duration": 1.5}))
    assert not [word for word in HIDDEN if word in text]
    kept = json.loads(text)
    assert (kept["protocol"], kept["bytes_sent"], kept["duration"]) == ("tcp", 17, 1.5)
    assert kept["local_address"].endswith(":5001")
    assert kept["local_address"].startswith(kept["flow"]["src_ip"])
    manifest = share.manifest(1)
    assert manifest["removed"]["community_id"] == 2
    assert manifest["replaced"]["hostname"] == 1


@given(st.text(max_size=60))
def test_any_text_can_be_hidden(text: str) -> None:
    share = Shareable(Pseudonyms(KEY))
    share.document({"local_address": text, "hostname": text, "answers": [text], "remote_mac": text, "other": text})


def test_an_archive_is_one_that_others_read() -> None:
    import io
    import zipfile

    data = b"".join(zipped("a.csv", iter([b"x" * 100_000, b"y"]), "manifest.json", lambda: b"{}"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.csv", "manifest.json"]
        assert archive.read("a.csv") == b"x" * 100_000 + b"y"
