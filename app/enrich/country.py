"""Where an address is: the bundled country database, or the one that the user gave, read with maxminddb.

Two shapes of record are understood: flat ones (`country_code`, `city`: DB-IP through @ip-location-db, ipinfo's own files) and MaxMind's nested ones
(`country.iso_code`, `city.names.en`, `traits`). What a database says of an address that is not global is never asked for.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import maxminddb

BUNDLED: Final = Path(__file__).with_name("data") / "dbip-country.mmdb"
_NAMES: Final = Path(__file__).with_name("data") / "country_names.txt"
LONGEST: Final = 120  # of a text in a record, which may be of anybody's making
_ANONYMOUS: Final = ("is_anonymous", "is_anonymous_proxy", "is_anonymous_vpn", "is_tor_exit_node", "is_public_proxy")


class Place(NamedTuple):
    """What a database says of an address; None: it does not say."""

    country: str | None = None  # ISO 3166-1 alpha-2
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    asn: int | None = None
    organization: str | None = None
    is_anonymous: bool | None = None


class CountryReader:
    """An open database. Look-ups take about 1 µs and may come from any thread."""

    def __init__(self, reader: maxminddb.Reader, path: Path) -> None:
        self._reader = reader
        self._memo: dict[str, Place] = {}
        meta = reader.metadata()
        self.path = path
        self.type = str(meta.database_type)[:LONGEST]
        self.built = int(meta.build_epoch)  # seconds since the epoch
        self._four_only = meta.ip_version == 4

    def place(self, address: str) -> Place | None:
        """None: the database does not know the address, or is damaged there. `ValueError` where the text is no address."""
        if self._four_only and ":" in address:
            return None
        try:
            record = self._reader.get(address)
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError):
            return None
        if not isinstance(record, dict):
            return None
        if len(record) == 1 and isinstance(
            code := record.get("country_code"), str
        ):  # the bundled one: 250 different records
            known = self._memo.get(code)
            if known is None:
                known = self._memo[code] = Place(_country(code))
            return known
        return read_record(record)

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> CountryReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_countries(path: Path = BUNDLED) -> CountryReader:
    """Opens a database. `ValueError` with one sentence where it is none; `OSError` where it cannot be read."""
    try:
        return CountryReader(maxminddb.open_database(path), path)
    except (maxminddb.InvalidDatabaseError, UnicodeDecodeError, EOFError) as error:
        raise ValueError(f"{path} is no MaxMind database: {error}") from None


def read_record(record: dict[str, Any]) -> Place:
    """A record of either shape; parts of a wrong type are left out."""
    country, city = record.get("country"), record.get("city")
    location, traits = record.get("location"), record.get("traits")
    spot = location if isinstance(location, dict) else record
    marks = {**record, **traits} if isinstance(traits, dict) else record
    said = [marks[name] for name in _ANONYMOUS if isinstance(marks.get(name), bool)]
    return Place(
        _country(country.get("iso_code") if isinstance(country, dict) else record.get("country_code") or country),
        _text(_english(city) if isinstance(city, dict) else city),
        _number(spot.get("latitude")),
        _number(spot.get("longitude")),
        _system(marks.get("autonomous_system_number") or marks.get("asn")),
        _text(marks.get("autonomous_system_organization") or marks.get("as_name") or marks.get("organization")),
        any(said) if said else None,
    )


def country_name(code: str | None) -> str | None:
    """`France` for `FR`; the code itself where it is none of ours."""
    return None if code is None else country_names().get(code, code)


@cache
def country_names() -> dict[str, str]:
    """ISO 3166-1 alpha-2 → English name."""
    return {code: name for code, _, name in _rows()}


def country_codes() -> dict[str, str]:
    """ISO 3166-1 numeric → alpha-2."""
    return {number: code for code, number, _ in _rows() if number != "---"}


def _rows() -> list[list[str]]:
    """[alpha-2, numeric (`---`: none is given out), English name]"""
    return [line.split(" ", 2) for line in _NAMES.read_text("utf-8").splitlines()]


def _country(value: Any) -> str | None:
    if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha():
        return value.upper()
    return None


def _english(value: dict[str, Any]) -> Any:
    names = value.get("names")
    if not isinstance(names, dict):
        return None
    return names.get("en") or next(iter(names.values()), None)


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(c for c in value if c.isprintable()).strip()[:LONGEST] or None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if -180.0 <= number <= 180.0 else None


def _system(value: Any) -> int | None:
    if isinstance(value, str):
        value = value.upper().removeprefix("AS")
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32 else None
