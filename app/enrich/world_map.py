"""Makes the world map of the pages: `python -m app.enrich.world_map world-atlas-2.0.2.tgz` writes `app/static/vendor/world.js`.

Natural Earth's borders at 1:110 million, projected once (Equal Earth: areas are true, so that a large country is not more than it is) and rounded to
tenths of a pixel. Countries too small for that scale are points, from the borders at 1:50 million.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app.enrich.country import country_codes

OUTPUT: Final = Path(__file__).resolve().parents[1] / "static" / "vendor" / "world.js"
WIDTH: Final = 960.0
TOP: Final = 83.7  # degrees of latitude: the north of Greenland
BOTTOM: Final = -56.0  # Cape Horn; Antarctica is left out
_NAMED: Final = {
    "Kosovo": "XK",
    "N. Cyprus": "CY",
    "Somaliland": "SO",
}  # without a number of ISO's, in the data's own words
_A: Final = (1.340264, -0.081106, 0.000893, 0.003796)

Point = tuple[float, float]


def project(longitude: float, latitude: float) -> Point:
    """Equal Earth (Šavrič, Patterson, Jenny 2018), y downwards, x from -2.71 to 2.71."""
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    square = theta * theta
    sixth = square**3
    slope = 9 * _A[3] * sixth * square + 7 * _A[2] * sixth + 3 * _A[1] * square + _A[0]
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(theta) / (3 * slope)
    return x, -theta * (_A[0] + _A[1] * square + sixth * (_A[2] + _A[3] * square))


_SCALE: Final = WIDTH / (2 * project(180, 0)[0])
_HIGH: Final = project(0, TOP)[1] * _SCALE
HEIGHT: Final = round(project(0, BOTTOM)[1] * _SCALE - _HIGH)


def place(longitude: float, latitude: float) -> Point:
    """A point of the map, in pixels."""
    x, y = project(longitude, latitude)
    return round(x * _SCALE + WIDTH / 2, 1), round(y * _SCALE - _HIGH, 1)


def shapes(topology: dict[str, Any]) -> Iterator[tuple[str, list[list[Point]]]]:
    """(alpha-2, rings in degrees) of each country of a TopoJSON."""
    (scale_x, scale_y), (move_x, move_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[list[Point]] = []
    for deltas in topology["arcs"]:
        x = y = 0
        arc = []
        for dx, dy in deltas:
            x, y = x + dx, y + dy
            arc.append((x * scale_x + move_x, y * scale_y + move_y))
        arcs.append(arc)
    codes = country_codes()
    for shape in topology["objects"]["countries"]["geometries"]:
        code = codes.get(str(shape.get("id"))) or _NAMED.get(shape["properties"]["name"])
        if code is not None and shape["type"] in ("Polygon", "MultiPolygon"):
            polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
            rings = [_ring(arcs, ring) for polygon in polygons for ring in polygon]
            yield code, [part for ring in rings for part in _parted(ring)]


def _ring(arcs: list[list[Point]], numbers: list[int]) -> list[Point]:
    points: list[Point] = []
    for number in numbers:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        points += arc[1:] if points else arc
    return points


def _parted(ring: list[Point]) -> list[list[Point]]:
    """A ring that goes over the 180th meridian as two, one at each edge of the map."""
    whole, turn = [ring[0]], 0.0
    for (before, _), (longitude, latitude) in itertools.pairwise(ring):
        turn += 360.0 if before - longitude > 180 else -360.0 if longitude - before > 180 else 0.0
        whole.append((longitude + turn, latitude))
    if turn or all(-180 <= longitude <= 180 for longitude, _ in whole):
        return [ring]  # whole within the map, or around a pole
    parts = []
    for move in (-360.0, 0.0, 360.0):
        part = [(longitude + move, latitude) for longitude, latitude in whole]
        if any(-180 < longitude < 180 for longitude, _ in part):
            parts.append(_cut([(min(max(longitude, -180.0), 180.0), latitude) for longitude, latitude in part]))
    return parts


def _cut(ring: list[Point]) -> list[Point]:
    """Without the points between the first and the last of those that lie on the edge together."""
    start = next(index for index, point in enumerate(ring) if abs(point[0]) < 180)
    ring = [*ring[start:-1], *ring[: start + 1]]
    inner = ring[:1]
    for before, point, after in zip(ring, ring[1:], ring[2:], strict=False):
        if not (abs(point[0]) == 180 and before[0] == point[0] == after[0]):
            inner.append(point)
    return [*inner, ring[-1]]


def path(rings: list[list[Point]]) -> str:
    """SVG path data, relative, without points that fall together."""
    parts = []
    for ring in rings:
        points = [place(*point) for point in ring]
        at = points[0]
        text, steps = f"M{_text(at[0])} {_text(at[1])}", 0
        for point in points[1:-1]:
            dx, dy = round(point[0] - at[0], 1), round(point[1] - at[1], 1)
            if dx or dy:
                text += f"l{_text(dx)} {_text(dy)}"
                at, steps = point, steps + 1
        if steps > 1:
            parts.append(text + "z")
    return "".join(parts).replace(" -", "-")


def _text(value: float) -> str:
    return (
        f"{value:.1f}".removesuffix(".0").replace("0.", ".", 1) if abs(value) < 1 else f"{value:.1f}".removesuffix(".0")
    )


def _centre(rings: list[list[Point]]) -> Point:
    """The middle of the largest ring's box."""
    largest = max(rings, key=_box)
    longitudes, latitudes = [x for x, _ in largest], [y for _, y in largest]
    return place((min(longitudes) + max(longitudes)) / 2, (min(latitudes) + max(latitudes)) / 2)


def _box(ring: list[Point]) -> float:
    return (max(x for x, _ in ring) - min(x for x, _ in ring)) * (max(y for _, y in ring) - min(y for _, y in ring))


def module(package: tarfile.TarFile) -> str:
    """The text of `world.js`."""
    coarse, fine = (_topology(package, name) for name in ("countries-110m.json", "countries-50m.json"))
    paths: dict[str, str] = {}
    for code, rings in shapes(coarse):
        if code != "AQ" and (data := path(rings)):
            paths[code] = paths.get(code, "") + data
    points = {code: _centre(rings) for code, rings in shapes(fine) if code not in paths and code != "AQ"}
    version = json.loads(_member(package, "package.json"))["version"]
    lines = [
        f"/* world-atlas {version} (ISC; Natural Earth, public domain), projected by app/enrich/world_map.py. */",
        f'export const VIEW = "0 0 {WIDTH:.0f} {HEIGHT}";',
        f"export const PATHS = {json.dumps(dict(sorted(paths.items())), indent=0)};",
        f"export const POINTS = {json.dumps(dict(sorted(points.items())))};",
    ]
    return "\n".join(lines) + "\n"


def _member(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(f"package/{name}")
    if file is None:
        raise ValueError(f"{name} is not in the package")
    return file.read()


def _topology(package: tarfile.TarFile, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_member(package, name))
    return found


def main(arguments: list[str]) -> int:
    """Exit status 0 = done, 1 = failed with one line on stderr, 2 = wrong usage."""
    if len(arguments) != 1:
        print("usage: python -m app.enrich.world_map world-atlas-VERSION.tgz", file=sys.stderr)
        return 2
    try:
        with tarfile.open(arguments[0]) as package:
            OUTPUT.write_text(module(package), "utf-8")
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        print(f"netglass: the map was not made: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
