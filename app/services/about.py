"""What the program is made of: packages with versions and licences, and files of others."""

from __future__ import annotations

import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
VENDORED: Final = ROOT / "app" / "static" / "vendor" / "VENDOR.md"
TABLES: Final = ROOT / "app" / "enrich" / "data" / "places.md"
_PACKAGE: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.M)


def about() -> dict[str, Any]:
    """`{python, platform, packages [{name, version, licence}], files [{file, package, version, licence}]}`. Reads files: off the hub."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "packages": packages(),
        "files": vendored(VENDORED) + tables(TABLES),
    }


def packages() -> list[dict[str, Any]]:
    """Those of requirements.txt that are installed here; version null where one is not."""
    found = []
    for file in ("requirements.txt", "requirements-ndpi.txt"):
        try:
            names = _PACKAGE.findall((ROOT / file).read_text("utf-8"))
        except OSError:
            continue
        for name in names:
            try:
                said = metadata.metadata(name)
            except metadata.PackageNotFoundError:
                found.append({"name": name, "version": None, "licence": None})
                continue
            found.append({"name": name, "version": said["Version"], "licence": _licence(said)})
    return found


def _licence(said: Any) -> str | None:
    """As the package states it: an SPDX expression, else the classifier's last words, else the first line of its text."""
    if said.get("License-Expression"):
        return str(said["License-Expression"])
    for classifier in said.get_all("Classifier") or ():
        if classifier.startswith("License ::"):
            return str(classifier).rpartition(":: ")[2]
    text = str(said.get("License") or "").strip()
    return text.splitlines()[0][:80] if text else None


def vendored(path: Path) -> list[dict[str, Any]]:
    """The files of others that the page loads, from the table that lists them."""
    return [
        {"file": cells[0].strip("`"), "package": cells[1], "version": cells[2], "licence": cells[3].replace("`", "")}
        for cells in _rows(path)
        if len(cells) == 5
    ]


def tables(path: Path) -> list[dict[str, Any]]:
    """The tables of addresses and makers, from the table that lists them."""
    return [
        {
            "file": cells[0].strip("`"),
            "package": cells[2].replace("`", ""),
            "version": None,
            "licence": cells[3].replace("`", ""),
        }
        for cells in _rows(path)
        if len(cells) == 4
    ]


def _rows(path: Path) -> list[list[str]]:
    """Rows of the Markdown tables in a file that begin with a file's name."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return []
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| `")]
