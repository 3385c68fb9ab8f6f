"""Places of addresses from ipinfo.io, for who has a token: in batches, kept on disk, never faster than is allowed.

Nothing is asked without a token. What goes wrong becomes a status with one sentence and a pause; it is never tried again at once.
"""

from __future__ import annotations

import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import requests

from app.enrich.country import Place, read_record
from app.enrich.scope import scope

BASE_URL: Final = "https://ipinfo.io"
BATCH: Final = 100  # addresses of one question
SECONDS_BETWEEN: Final = 2.0
TIMEOUT: Final = (5.0, 10.0)  # seconds to connect, and between two pieces of the answer
LARGEST: Final = 2 * 1024 * 1024  # bytes of an answer
KEPT_SECONDS: Final = 30 * 86_400
MAX_KEPT: Final = 100_000
_HIDING: Final = ("vpn", "proxy", "tor", "relay")  # of the privacy block; `hosting` hides nobody
_PAUSES: Final = {"refused": 3600.0, "quota": 3600.0, "unreachable": 60.0, "failed": 120.0}


@dataclass(slots=True)
class Status:
    """`state`: off, ready, refused (wrong token), quota, unreachable, failed. `text`: one sentence for the page."""

    state: str
    text: str
    asked: int = 0  # addresses in all
    answered: int = 0
    kept: int = 0  # answers on disk


class IpinfoError(Exception):
    """Why there is no answer; `state` as in Status."""

    def __init__(self, state: str, text: str) -> None:
        super().__init__(text)
        self.state = state


class IpinfoClient:
    """The questions themselves. One thread at a time."""

    def __init__(self, token: str, base_url: str = BASE_URL) -> None:
        self._token = token
        self._url = f"{base_url}/batch"

    def batch(self, addresses: Iterable[str]) -> dict[str, dict[str, Any]]:
        """address → record. `IpinfoError` for everything that goes wrong; the token is in none of its texts."""
        try:
            with requests.post(
                self._url,
                json=list(addresses),
                headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,  # the token goes to nobody else
                stream=True,
            ) as response:
                self._check(response.status_code)
                body = self._body(response)
        except requests.Timeout:
            raise IpinfoError("unreachable", "ipinfo did not answer in time.") from None
        except requests.RequestException as error:
            raise IpinfoError("unreachable", f"ipinfo cannot be reached ({type(error).__name__}).") from None
        try:
            found = json.loads(body)
        except ValueError:
            raise IpinfoError("failed", "ipinfo answered with something that is not JSON.") from None
        if not isinstance(found, dict):
            raise IpinfoError("failed", "ipinfo answered with something else than records.")
        return {address: record for address, record in found.items() if isinstance(record, dict)}

    @staticmethod
    def _check(status: int) -> None:
        if status in (401, 403):
            raise IpinfoError("refused", "ipinfo refused the token in IPINFO_TOKEN.")
        if status == 429:
            raise IpinfoError("quota", "The quota of the token in IPINFO_TOKEN is used up.")
        if status != 200:
            raise IpinfoError("failed", f"ipinfo answered with HTTP status {status}.")

    @staticmethod
    def _body(response: requests.Response) -> bytes:
        body, deadline = bytearray(), time.monotonic() + 3 * TIMEOUT[1]
        for piece in response.iter_content(64 * 1024):
            body += piece
            if len(body) > LARGEST or time.monotonic() > deadline:
                raise IpinfoError("failed", "ipinfo answered with more, or slower, than is allowed.")
        return bytes(body)


class Ipinfo:
    """Look-ups with memory. `ask` blocks: for a thread of its own."""

    def __init__(self, client: IpinfoClient | None, cache: Path, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Place]] = OrderedDict()
        self._not_before = 0.0
        off = "IPINFO_TOKEN is not set: nothing is asked."
        self.status = Status("off", off) if client is None else Status("ready", "ipinfo is asked for new addresses.")
        if client is not None:
            self._load()

    def wait_seconds(self) -> float:
        """How long until `ask` may go out again."""
        return max(self._not_before - self._clock(), 0.0)

    def ask(self, addresses: Iterable[str]) -> dict[str, Place]:
        """Places of those addresses that are known, or could be asked for now: global ones, at most BATCH new ones."""
        wanted = [address for address in dict.fromkeys(addresses) if _is_global(address)]
        found = {address: place for address in wanted if (place := self._remembered(address)) is not None}
        new = [address for address in wanted if address not in found][:BATCH]
        if not new or self._client is None or self.wait_seconds() > 0:
            return found
        self._not_before = self._clock() + SECONDS_BETWEEN
        self.status.asked += len(new)
        try:
            answers = self._client.batch(new)
        except IpinfoError as error:
            self.status.state, self.status.text = error.state, str(error)
            self._not_before = self._clock() + _PAUSES[error.state]
            return found
        fresh = {address: read_ipinfo(record) for address, record in answers.items() if address in new}
        errors = [record["error"] for record in answers.values() if "error" in record]
        self.status.state, self.status.text = "ready", "ipinfo is asked for new addresses."
        if errors and not any(place != Place() for place in fresh.values()):
            self.status.state, self.status.text = "failed", "ipinfo answered with errors in place of records."
            self._not_before = self._clock() + _PAUSES["failed"]
            return found
        self.status.answered += len(fresh)
        self._keep(fresh)
        return {**found, **fresh}

    def get_geoip_info(self, address: str) -> Place | None:
        """The place of one address; None: not asked (no token, not global), or no answer: `status` says why."""
        return self.ask([address]).get(address)

    def _remembered(self, address: str) -> Place | None:
        entry = self._kept.get(address)
        return entry[1] if entry is not None and self._clock() - entry[0] < KEPT_SECONDS else None

    def _keep(self, fresh: Mapping[str, Place]) -> None:
        now = self._clock()
        for address, place in fresh.items():
            self._kept[address] = (now, place)
            self._kept.move_to_end(address)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        self.status.kept = len(self._kept)
        lines = "".join(_line(address, now, place) for address, place in fresh.items())
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            with self._cache.open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            self.status.text = f"Answers of ipinfo cannot be kept: {error.strerror}."

    def _load(self) -> None:
        """Reads what was kept; a damaged line is left out. Writes the file again where much of it is old."""
        lines = 0
        try:
            with self._cache.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    lines += 1
                    self._take(line)
        except OSError:
            return  # none yet
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        self.status.kept = len(self._kept)
        if lines > len(self._kept) + 1_000:
            fresh = self._cache.with_suffix(".new")
            try:
                fresh.write_text("".join(_line(address, *entry) for address, entry in self._kept.items()), "utf-8")
                os.replace(fresh, self._cache)
            except OSError:
                pass  # the long file still serves

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
            address, when, place = str(entry["ip"]), float(entry["time"]), Place(**entry["place"])
        except (ValueError, TypeError, KeyError):
            return
        if 0 <= self._clock() - when < KEPT_SECONDS and _is_global(address):
            self._kept[address] = (when, read_record(place._asdict() | {"country_code": place.country}))
            self._kept.move_to_end(address)

    def document(self) -> dict[str, Any]:
        """The status as it is shown."""
        return asdict(self.status)


def read_ipinfo(record: Mapping[str, Any]) -> Place:
    """A record of any of ipinfo's plans; parts that are missing or of a wrong type are None."""
    org, system = record.get("org"), record.get("asn")
    number, name = (
        (system.get("asn"), system.get("name")) if isinstance(system, dict) else (system, record.get("as_name"))
    )
    if number is None and isinstance(org, str) and org.startswith("AS"):
        number, _, name = org.partition(" ")
    latitude, _, longitude = str(record.get("loc") or ",").partition(",")
    code = record.get("country_code") or record.get("country")
    place = read_record(
        {
            "country_code": code,
            "city": record.get("city"),
            "latitude": latitude,
            "longitude": longitude,
            "asn": number,
            "organization": name or (org if isinstance(org, str) else None),
        }
    )
    privacy = record.get("privacy") or record.get("anonymous")
    if isinstance(privacy, dict):
        said = [
            value for key, value in privacy.items() if key.removeprefix("is_") in _HIDING and isinstance(value, bool)
        ]
        return place._replace(is_anonymous=any(said) if said else None)
    plain = record.get("is_anonymous")
    return place._replace(is_anonymous=plain if isinstance(plain, bool) else None)


def _line(address: str, when: float, place: Place) -> str:
    return json.dumps({"ip": address, "time": round(when), "place": place._asdict()}) + "\n"


def _is_global(address: str) -> bool:
    try:
        return scope(address) == "global"
    except ValueError:
        return False
