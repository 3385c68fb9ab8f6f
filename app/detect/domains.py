"""Names in the DNS as detectors look at them: the registered part, how random a label looks, what it may encode."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Final

# Second levels under which countries register names; a list of all public suffixes would be larger than this program.
_SECOND: Final = frozenset(("co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go", "mil", "nom", "gob", "gouv", "ltd", "plc", "me", "sch", "nhs", "police", "in", "id", "web"))  # fmt: skip
_HOSTED: Final = frozenset(("dyndns.org", "duckdns.org", "no-ip.org", "ddns.net", "herokuapp.com", "github.io", "azurewebsites.net", "appspot.com", "blogspot.com", "cloudfront.net", "amazonaws.com"))  # fmt: skip
_HEX: Final = re.compile(r"[0-9a-f]+")
_BASE32: Final = re.compile(r"[a-z2-7]+=*", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+=*")
_CONSONANTS: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")
# First bytes of what is worth stealing: gzip, zip, PNG, JPEG, PDF, zlib, 7-Zip, RAR, ELF, MZ
_MAGICS: Final = (b"\x1f\x8b\x08", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"%PDF", b"7z\xbc\xaf", b"Rar!", b"\x7fELF", b"SQLite format", b"BZh")  # fmt: skip
# Frequent pairs of letters in names; the share of a name's pairs among them tells words from noise.
_PAIR_LETTERS: Final = (
    "thheineranreonatenndtiesorteofedisitalarsttontngsehaasouiolevecomedehiriroicneearacelichllbemasiomurcael"
    "talansdifohopeecprnoctusacotiltrlyncetutsssorsunlowageiewheewiemadolrtpowenaulnitsmoowpaimmiaishirsuidos"
    "iviaamficivipligtuevldrympfeblabghtyopwosaayexkefrooavagifapgrodbosprddoucbueiovbyrmepttocfaefcurnscgida"
    "yocrcldugaquueffbaeylsvaumppuauplugohtruugdsltpircrregauckewmubrbiptakpuuirgibtlnykirkysobmmfuphogmsyeud"
    "mbipuboirlgudrhrcctwftwnnuafhunneovorvnfxpgnsmflizoknlmyglawjuoaeqsyslpsjolfnvjenkkngsdyhyzeksxtbsikddpm"
    "nrdnswskaedmebeuoexizoukoxax"
)
_PAIRS: Final = frozenset(_PAIR_LETTERS[at : at + 2] for at in range(0, len(_PAIR_LETTERS), 2))


def labels_of(name: str) -> list[str]:
    """Labels of a name without its final dot."""
    return [label for label in name.rstrip(".").split(".") if label]


@lru_cache(maxsize=8192)
def registered_domain(name: str) -> str:
    """The part of a name that somebody registered, as far as a small table knows; the whole name where it is shorter. Lower case."""
    labels = labels_of(name.lower())
    if len(labels) <= 2:
        return ".".join(labels)
    two = ".".join(labels[-2:])
    if two in _HOSTED or (len(labels[-1]) == 2 and labels[-2] in _SECOND):
        return ".".join(labels[-3:])
    return two


def entropy(text: str) -> float:
    """Shannon bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0


@lru_cache(maxsize=8192)
def randomness(label: str) -> float:
    """0 (words) to 1 (noise) of one label, from its pairs of letters, its digits among letters and long runs of consonants."""
    text = label.lower()
    letters = "".join(char for char in text if char.isalpha())
    if len(text) < 7 or not text.isascii():
        return 0.0
    pairs = [text[index : index + 2] for index in range(len(text) - 1) if text[index : index + 2].isalpha()]
    known = sum(pair in _PAIRS for pair in pairs) / len(pairs) if pairs else 0.0
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(text)) / (len(text) - 1)
    score = 0.75 * (1 - known) + 0.6 * changes
    if _CONSONANTS.search(letters):
        score += 0.2
    vowels = sum(char in "aeiouy" for char in letters)
    if letters and vowels / len(letters) < 0.15:
        score += 0.15
    return min(1.0, score)


def encoded_content(labels: list[str]) -> str | None:
    """What the joined labels hold where they decode to the beginning of a known kind of file; else None."""
    joined = "".join(labels)
    for start in range(min(3, len(labels))):
        text = "".join(labels[start:])
        for data in _decodings(text):
            if any(data.startswith(magic) for magic in _MAGICS):
                return "a compressed or binary file"
    return _known_prefix(joined)


def _known_prefix(text: str) -> str | None:
    """The same where labels were shuffled or the case was lost: how base64 of such files begins."""
    for prefix, what in (
        ("H4sI", "a gzip stream"),
        ("UEsDB", "a zip archive"),
        ("iVBORw0", "a picture"),
        ("JVBERi0", "a PDF"),
        ("N3q8r", "a 7-Zip archive"),
    ):
        if prefix in text:
            return what
    return None


def _decodings(text: str) -> list[bytes]:
    found: list[bytes] = []
    clipped = text[:256]
    if len(clipped) < 8:
        return found
    if _HEX.fullmatch(clipped.lower()):
        found.append(bytes.fromhex(clipped[: len(clipped) // 2 * 2]))
    try:
        if _BASE32.fullmatch(clipped):
            found.append(base64.b32decode(clipped.rstrip("=").upper()[: len(clipped.rstrip("=")) // 8 * 8]))
    except binascii.Error:
        pass
    try:
        if _BASE64.fullmatch(clipped):
            plain = clipped.rstrip("=").replace("-", "+").replace("_", "/")
            found.append(base64.b64decode(plain[: len(plain) // 4 * 4]))
    except (binascii.Error, ValueError):
        pass
    return found


def is_hex(label: str) -> bool:
    return _HEX.fullmatch(label.lower()) is not None


def looks_encoded(label: str) -> bool:
    """A label that a machine wrote: long, and of an alphabet's even use; hex, base32 or base64."""
    if len(label) < 16:
        return False
    if _HEX.fullmatch(label.lower()) and any(char.isdigit() for char in label):
        return True
    return randomness(label) >= 0.45 or (entropy(label.lower()) > 3.6 and randomness(label) >= 0.3)
