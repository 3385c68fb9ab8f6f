"""The list of interfaces, which is the default one, and the table."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

import pytest

from app.host import interfaces as host
from app.host import interfaces_command
from app.host.interfaces import Interface, choose, default_interface, interfaces, rates


def make(name: str, **changes: object) -> Interface:
    one = Interface(name, True, False, name == "lo", None, 1500, None, (), 0, 0, 0, 0, 0, 0, 0.0)
    return replace(one, **changes)  # type: ignore[arg-type]


LO, WLAN, DOCKER = make("lo"), make("wlan0", is_physical=True), make("docker0")
ETH = make("eth0", is_physical=True, is_up=False)


def test_this_machine_has_a_loopback_and_its_counters_grow() -> None:
    found = {one.name: one for one in interfaces()}
    loopback = next(one for one in found.values() if one.is_loopback)
    assert not loopback.is_physical
    assert not loopback.is_up or any(address in ("127.0.0.1", "::1") for address in loopback.addresses)
    assert all("%" not in address for one in found.values() for address in one.addresses)
    assert default_interface() in found


def test_rates_come_from_two_readings() -> None:
    before, after = make("eth0"), make("eth0", bytes_sent=1000, bytes_recv=250, read_at=2.0)
    assert rates(before, after) == host.Rates(upload_bps=4000.0, download_bps=1000.0)
    assert rates(after, before) is None
    assert rates(before, before) is None
    assert rates(replace(after, read_at=0.0), replace(before, read_at=3.0)) is None  # the counters started again


ROUTE_HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
DEFAULT_WLAN = "wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0 0 0\n"
DEFAULT_ETH = "eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n"
REJECT = "eth0 00000000 00000000 0201 0 0 0 00000000 0 0 0\n"
NET = "docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
ZEROS = "0" * 32
DEFAULT_6 = f"{ZEROS} 00 {ZEROS} 00 fe80{ZEROS[4:]} 00000400 1 0 00000003 wlan0\n"
UNREACHABLE_6 = f"{ZEROS} 00 {ZEROS} 00 {ZEROS} ffffffff 1 0 00200200 lo\n"


@pytest.mark.parametrize(
    ("route", "route6", "known", "name"),
    [
        (ROUTE_HEAD + NET + DEFAULT_WLAN, "", [LO, DOCKER, WLAN], "wlan0"),
        (ROUTE_HEAD + DEFAULT_WLAN + DEFAULT_ETH, "", [LO, WLAN, ETH], "eth0"),  # the better metric
        (ROUTE_HEAD + REJECT, UNREACHABLE_6 + DEFAULT_6, [LO, DOCKER, WLAN], "wlan0"),
        (ROUTE_HEAD + DEFAULT_ETH, "", [LO, WLAN], "wlan0"),  # the route's interface is gone
        (ROUTE_HEAD, "", [LO, DOCKER, ETH, WLAN], "wlan0"),  # physical and up
        (ROUTE_HEAD, "", [LO, DOCKER, ETH], "docker0"),  # up
        (ROUTE_HEAD, "", [ETH, LO], "lo"),
        ("", "", [ETH], None),
        ("rubbish\nmore rubbish here\n", "zz 1 2\n", [LO, WLAN], "wlan0"),
        (None, None, [LO, WLAN], "wlan0"),
    ],
)
def test_the_default_interface(
    route: str | None,
    route6: str | None,
    known: list[Interface],
    name: str | None,
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # type: ignore[no-untyped-def]
    for file, text in (("route", route), ("ipv6_route", route6)):
        if text is not None:
            (tmp_path / file).write_text(text)
    monkeypatch.setattr(host, "_PROC", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_interface(known) == name


def test_choosing() -> None:
    known = [WLAN, LO]
    assert choose(["lo", "wlan0", "lo"], known) == ["lo", "wlan0"]
    assert choose(["any"], known) == ["any"]
    assert choose([], known) in (["wlan0"], ["lo"])
    assert choose([], []) == []
    for wanted in (["nope"], ["any", "lo"]):
        with pytest.raises(ValueError, match=r"there is no interface (nope|any); there are wlan0, lo, or any alone"):
            choose(wanted, known)


def test_elsewhere_physical_is_guessed_from_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    names = {
        "en0": True,
        "lo0": False,
        "utun3": False,
        "bridge100": False,
        "awdl0": False,
        "Ethernet 2": True,
        "vEthernet (WSL)": False,
    }
    assert {name: host._is_physical(name) for name in names} == names


def test_the_names_of_the_rest_answer() -> None:
    assert set(host.interface_statistics()[0]) == {
        "interface", "is_up", "is_physical", "speed_mbps", "mtu", "mac", "addresses", "bytes_sent", "bytes_recv", "packets_sent", "packets_recv",
        "errors", "drops",
    }  # fmt: skip


def test_the_table_is_aligned_and_marks_the_default() -> None:
    text = interfaces_command.table(
        [make("eth0", bytes_recv=1_500_000, addresses=("192.0.2.1", "2001:db8::1"), speed_mbps=1000), LO], "eth0"
    )
    head, first, second = text.splitlines()
    assert first.startswith("*  eth0")
    assert second.startswith("   lo")
    assert "1.5 MB" in first
    assert first.endswith("192.0.2.1, 2001:db8::1")
    for title in ("NAME", "STATE", "KIND", "ADDRESSES"):
        assert first[head.index(title) - 1] == second[head.index(title) - 1] == " "


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (5 * 10**13, "50.0 TB")]
)
def test_sizes(count: int, text: str) -> None:
    assert interfaces_command.size(count) == text


def test_the_command_prints_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert interfaces_command.run(argparse.Namespace(json=True)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["default"] in [one["interface"] for one in document["interfaces"]]
    assert interfaces_command.run(argparse.Namespace(json=False)) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[0] == "NAME"
