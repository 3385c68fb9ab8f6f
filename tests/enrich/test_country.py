"""Countries of addresses: the bundled database, both shapes of a user's own, and files that are none."""

import contextlib
import re
from pathlib import Path

import pytest

from app.enrich import world_map
from app.enrich.country import BUNDLED, Place, country_codes, country_name, country_names, read_countries, read_record
from config import Settings, SettingsError
from tests.enrich.mmdb_writer import write_mmdb


def test_the_bundled_database_knows_both_families():
    with read_countries() as reader:
        assert reader.place("8.8.8.8") == Place("US")
        assert reader.place("193.99.144.80").country == "DE"
        assert reader.place("2a02:2e0:3fe:1001::1").country == "DE"
        assert reader.built > 1_700_000_000
        with pytest.raises(ValueError):
            reader.place("heise.de")
    assert BUNDLED.with_name("dbip-country.LICENSE").read_text().count("DB-IP")


def test_every_country_code_has_a_name():
    assert country_name("FR") == "France"
    assert country_name("ZZ") == "ZZ"
    assert country_name(None) is None
    assert len(country_names()) == 250


def test_flat_and_nested_records_say_the_same(tmp_path):
    flat = {"country_code": "nl", "city": "Delft", "latitude": 52.0, "longitude": 4.36}
    nested = {
        "country": {"iso_code": "NL", "names": {"en": "Netherlands"}},
        "city": {"names": {"de": "Delft", "en": "Delft"}},
        "location": {"latitude": 52.0, "longitude": 4.36},
        "traits": {"is_anonymous_proxy": True, "autonomous_system_number": 1103},
    }
    path = write_mmdb(tmp_path / "city.mmdb", {"5.0.0.0/8": flat, "6.0.0.0/8": nested, "2a00::/16": flat})
    with read_countries(path) as reader:
        assert reader.place("5.1.2.3") == reader.place("2a00::1") == Place("NL", "Delft", 52.0, 4.36)
        assert reader.place("6.1.2.3") == Place("NL", "Delft", 52.0, 4.36, 1103, None, True)
        assert reader.place("7.1.2.3") is None
        assert reader.type == "Test-City"


def test_a_database_of_one_family_says_nothing_of_the_other(tmp_path):
    path = write_mmdb(tmp_path / "four.mmdb", {"5.0.0.0/8": {"country_code": "NL"}}, ip_version=4)
    with read_countries(path) as reader:
        assert reader.place("5.1.2.3").country == "NL"
        assert reader.place("2a00::1") is None


@pytest.mark.parametrize(
    "record",
    [
        {"country_code": 7, "city": ["x"], "latitude": "north", "traits": 3},
        {"country": {"iso_code": "USA"}, "city": {"names": []}, "location": {"latitude": float("nan")}},
        {"country_code": "\u00df\u00df", "asn": "ASx", "longitude": 1e99},
        {},
    ],
)
def test_parts_of_a_wrong_type_are_left_out(record):
    assert read_record(record) == Place()


def test_texts_are_one_line_of_bounded_length():
    place = read_record({"city": "Sp\u202eam\n" + "x" * 500})
    assert place.city.startswith("Spamx")
    assert len(place.city) == 120


@pytest.mark.parametrize("content", [b"", b"no database at all", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_that_is_no_database_is_one_sentence(tmp_path, content):
    path = tmp_path / "bad.mmdb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad.mmdb is no MaxMind database"):
        read_countries(path)


@pytest.mark.parametrize("kept", range(0, 1400, 97))
def test_a_cut_database_says_nothing_wrong(tmp_path, kept):
    records = {f"{n}.0.0.0/8": {"country_code": "NL"} for n in range(1, 100)}
    head, meta = write_mmdb(tmp_path / "c.mmdb", records).read_bytes().split(b"\xab\xcd\xefMaxMind.com")
    path = tmp_path / "cut.mmdb"
    path.write_bytes(head[:kept] + b"\xab\xcd\xefMaxMind.com" + meta)
    with contextlib.suppress(ValueError), read_countries(path) as reader:
        assert {reader.place(f"{n}.1.1.1") for n in range(1, 200)} <= {None, Place("NL"), Place()}


def test_the_setting_takes_databases_only(tmp_path):
    good = write_mmdb(tmp_path / "own.mmdb", {"5.0.0.0/8": {"country_code": "NL"}})
    assert Settings.from_environment({"GEOIP_DB": str(good)}).geoip_db == good
    (tmp_path / "text").write_text("no database")
    for path in (tmp_path / "text", tmp_path / "nowhere", tmp_path):
        with pytest.raises(SettingsError, match=r"GEOIP_DB=.* is not allowed; allowed: .*MaxMind"):
            Settings.from_environment({"GEOIP_DB": str(path)})


def test_the_map_knows_every_country_it_draws():
    text = (Path(__file__).parents[2] / "app" / "static" / "vendor" / "world.js").read_text()
    drawn = set(re.findall(r'"([A-Z]{2})":', text))
    assert len(drawn) > 220
    assert drawn <= set(country_names())
    assert country_codes()["276"] == "DE"


@pytest.mark.parametrize(
    ("longitude", "latitude", "where"), [(0, 0, (480, 231)), (-180, 0, (0, 231)), (180, 0, (960, 231))]
)
def test_the_projection(longitude, latitude, where):
    assert world_map.place(longitude, latitude) == pytest.approx(where, abs=2)


def test_a_ring_over_the_date_line_becomes_two():
    ring = [(170.0, 60.0), (-170.0, 60.0), (-170.0, 70.0), (170.0, 70.0), (170.0, 60.0)]
    parts = world_map._parted(ring)
    assert len(parts) == 2
    assert all(max(x for x, _ in part) - min(x for x, _ in part) <= 20 for part in parts)
