"""Is it a card number? What stands around the digits decides, in log-odds: each piece of evidence adds or takes, and is named.

The digits themselves (prefix, length, check digit) are right already: of random bounded runs of digits about one in a hundred gets here
(docs/cards.md). A veto ends the matter: digits inside a longer token, a fraction, a row of equal groups.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from app.wire.card_numbers import GROUPINGS

THRESHOLD: Final = 0.3  # of confidence, below which nothing is reported

_CARD_WORD: Final = re.compile(
    rb"card|credit|debit|kredit|karte|tarjeta|carte|carta|\bpan\b|primary.?account|\bcc(?:n|num|number|no)?\b|cc[_-]|visa|master|amex|american.?express|maestro"
    rb"|discover|diners|\bjcb\b|unionpay|\bcv[vc]2?\b|payment|charge|checkout|swipe|track[ _-]?[12]\b|track_?data|magstripe|emv",
    re.I,
)
_OTHER_WORDS: Final = frozenset(
    b"imei imsi iccid msisdn ean ean13 ean8 upc gtin isbn issn barcode tracking track_no parcel shipment iban bic order orderid invoice ts time timestamp epoch "
    b"date created updated expires uuid guid phone tel telephone mobile fax serial sku asin tweet user userid session sessionid trace traceid span spanid snowflake "
    b"message messageid msgid request requestid correlation nonce hash digest checksum sha256 sha1 md5 version build offset size length bytes lat lon lng latitude "
    b"longitude ratio fbid fbclid ga gid nir ssn vat tax ticket booking reference meter device mac article product item random seed sequence seq counter".split()
)
_EXPIRY: Final = re.compile(rb"exp|cv[vc]|(?<![0-9])(?:0[1-9]|1[0-2]) ?(?:/|%2F|-) ?(?:20)?[2-4][0-9](?![0-9])", re.I)
_KEY: Final = re.compile(
    rb"""([A-Za-z][A-Za-z0-9_\-. ]{0,40}?)(?:["'\]]|&quot;|%22|\\")*[ \t]*(?:[:=>#]|%3A|%3D)[ \t]*(?:["'\[(]|&quot;|%22|\\")*\Z""",
    re.I,
)
_WORD_BEFORE: Final = re.compile(rb"([A-Za-z][A-Za-z]{1,20})[ \t]*(?:no\.?|nr\.?|number|#)?[ \t]*[:#]?[ \t]*\Z", re.I)
_KEY_PART: Final = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_TRACK_1_BEFORE: Final = re.compile(rb"(?:%|%25)B\Z", re.I)
_TRACK_1_AFTER: Final = re.compile(rb"(?:\^|%5E)[^^?\r\n]{2,40}(?:\^|%5E)[0-9]{4}", re.I)
_TRACK_2_AFTER: Final = re.compile(rb"(?:=|D|%3D)([2-4][0-9])(0[1-9]|1[0-2])[0-9]{3,}", re.I)
_ESCAPED_CONTROL: Final = re.compile(rb"\\[nrt]\Z")
_PERCENT_BEFORE: Final = re.compile(rb"%([0-9A-Fa-f]{2})\Z")
_GLUED_WORD: Final = re.compile(
    rb"(?:card|cardno|cardnumber|card_number|pan|ccnum|visa|amex|mastercard|maestro)[_\-]?\Z", re.I
)
_LONGEST_WORD: Final = len(b"card_number_")
_GLUE: Final = re.compile(rb"[A-Za-z_\x80-\xff]\Z")
_IBAN: Final = re.compile(rb"[A-Z]{2}[0-9]{2}[ -]?\Z")
_ROW_BEFORE: Final = re.compile(rb"(?:(?<=[^0-9\-])|\A)[0-9]{4}([ .+\-])\Z")
_ROW_AFTER: Final = re.compile(rb"([ .+\-])([0-9]{4})(?![0-9])")
_MONTH_YEAR: Final = re.compile(rb"(?:0[1-9]|1[0-2])[2-4][0-9]")


@dataclass(slots=True)
class Judgement:
    """confidence 0..1, and why."""

    confidence: float
    reasons: list[str]
    track: int | None = None


def judge(
    text: bytes, first: int, last: int, digits: bytes, groups: tuple[int, ...], brand: str, certain_place: bool = False
) -> Judgement | None:
    """Weigh the number text[first:last]; None: vetoed, or below the threshold."""
    before, after = text[max(0, first - 160) : first], text[last : last + 96]
    reasons = [f"{len(digits)} digits with a {brand} prefix and a valid check digit"]
    odds = 0.2
    track = _track(before, after)
    if certain_place or track:
        odds += 4.0
        reasons.append(f"track {track} data" if track else "stands where the format has the account number")
        return Judgement(_probability(odds), reasons, track)
    if _vetoed(before, after, groups):
        return None
    if len(groups) > 1:
        odds += 1.5
        reasons.append("written in groups as on a card")
    elif len(digits) != 16:
        odds -= 0.4  # other numbers are as long: timestamps, EAN, IMEI
    if brand == "maestro":
        odds -= 0.3
    key = _key(before)
    near = before[-64:]
    if key is not None and _CARD_WORD.search(key):
        odds += 2.5
        reasons.append("the field's name says so")
    elif key is not None and _other(key):
        odds -= 3.0
        reasons.append("the field's name says something else")
    elif _CARD_WORD.search(near):
        odds += 1.2
        reasons.append("words about cards before it")
    if _EXPIRY.search(after[:56]):
        odds += 0.8
        reasons.append("an expiry date or security code after it")
    confidence = _probability(odds)
    return Judgement(confidence, reasons) if confidence >= THRESHOLD else None


def _probability(odds: float) -> float:
    return round(1 / (1 + math.exp(-odds)), 2)


def _track(before: bytes, after: bytes) -> int | None:
    """ISO/IEC 7813: %B number ^ name ^ expiry …, and ; number = expiry …"""
    if _TRACK_1_AFTER.match(after) and (_TRACK_1_BEFORE.search(before) or before[-1:] in (b"B", b"b", b"")):
        return 1
    return 2 if _TRACK_2_AFTER.match(after) and not _GLUE.search(before[-1:]) else None


def _vetoed(before: bytes, after: bytes, groups: tuple[int, ...]) -> bool:
    if len(groups) > 1 and groups not in GROUPINGS:
        return True
    if _glued_before(before) or _glued_after(after):
        return True
    if _IBAN.search(before[-5:]):
        return True
    if len(groups) > 1:
        if _ROW_BEFORE.search(before):
            return True
        row = _ROW_AFTER.match(after)
        if row and (not _MONTH_YEAR.fullmatch(row[2]) or _ROW_AFTER.match(after, row.end())):
            return True
    return False


def _glued_before(before: bytes) -> bool:
    """Does the token begin before the number?"""
    escape = _PERCENT_BEFORE.search(before[-3:])
    if escape:
        code = int(escape[1], 16)
        return chr(code).isalnum() and code < 128
    last = before[-1:]
    if not last or _ESCAPED_CONTROL.search(before[-2:]) or _GLUED_WORD.search(before[-_LONGEST_WORD:]):
        return False
    if _GLUE.search(last) or last.isdigit():
        return True
    inner = before[-2:-1]
    if last in b".-" and inner.isalnum():
        return True
    return last == b"+" and not inner.isalnum()  # an international telephone number


def _glued_after(after: bytes) -> bool:
    """Does the token go on behind the number?"""
    last = after[:1]
    if not last:
        return False
    if re.match(rb"[A-Za-z_\x80-\xff0-9]", last):
        return True
    return last in b".-" and after[1:2].isalnum()


def _key(before: bytes) -> bytes | None:
    """The name of the field that the number is the value of."""
    found = _KEY.search(before) or _WORD_BEFORE.search(before)
    return found[1] if found else None


def _other(key: bytes) -> bool:
    """Is it the name of another kind of number?"""
    parts = [part.lower() for part in _KEY_PART.findall(key)]
    return any(part in _OTHER_WORDS for part in parts) or bytes(b"".join(parts)) in _OTHER_WORDS
