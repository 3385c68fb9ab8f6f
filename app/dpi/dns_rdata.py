"""RDATA as text: one line of a table per record type says which fields follow each other.

The presentation of the records' RFCs, without final dots and line breaks. What does not fit its type's form is given in the form for
unknown types (RFC 3597 § 5), so nothing is lost.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final

from app.dpi import dns_text
from app.dpi.dns_reader import Cut, Malformed, Reader
from app.wire.addresses import format_address

MAX_TEXT: Final = 4096  # characters of one value

# Field letters: n name, 1 2 4 integers of so many octets, s quoted string, w string as a word, S all strings that follow,
# q the rest as one quoted string, a IPv4 address, 6 IPv6 address, y type, T time, x hex of the rest, b base64 of the rest,
# h hex with a length octet, o base32hex with a length octet, m type bit maps, p service parameters.
_FORMS: Final[dict[str, str]] = {
    "NS": "n", "MD": "n", "MF": "n", "CNAME": "n", "MB": "n", "MG": "n", "MR": "n", "PTR": "n", "DNAME": "n", "NSAP-PTR": "n",
    "SOA": "nn44444", "HINFO": "ss", "MINFO": "nn", "MX": "2n", "TXT": "S", "SPF": "S", "AVC": "S", "NINFO": "S", "RP": "nn",
    "AFSDB": "2n", "RT": "2n", "KX": "2n", "LP": "2n", "PX": "2nn", "X25": "s", "ISDN": "S", "A": "a", "AAAA": "6",
    "SRV": "222n", "NAPTR": "22sssn", "DS": "211x", "CDS": "211x", "DLV": "211x", "TA": "211x", "SSHFP": "11x",
    "RRSIG": "y114TT2nb", "SIG": "y114TT2nb", "NSEC": "nm", "DNSKEY": "211b", "KEY": "211b", "CDNSKEY": "211b",
    "NSEC3": "112hom", "NSEC3PARAM": "112h", "TLSA": "111x", "SMIMEA": "111x", "OPENPGPKEY": "b", "DHCID": "b", "CSYNC": "42m",
    "ZONEMD": "411x", "SVCB": "2np", "HTTPS": "2np", "URI": "22q", "CAA": "1wq",
}  # fmt: skip
_PARAMETERS: Final = {  # IANA "DNS Service Parameters"
    0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint", 7: "dohpath", 8: "ohttp",
}  # fmt: skip
_BASE32HEX: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHIJKLMNOPQRSTUV")


def rdata_text(reader: Reader, kind: str, record_class: int, length: int) -> str:
    """The text of the RDATA of `length` octets at the reader's place; the reader stands behind it afterwards.

    Raises Malformed when the message's budget is used up, Cut when the RDATA is not all there.
    """
    data, start = reader.data, reader.at
    end = start + length
    if end > len(data):
        raise Cut("it ends inside a record")
    if length == 4 and kind == "A" and record_class == 1:
        reader.at = end
        return inet_ntop(AF_INET, data[start:end])
    form = _FORMS.get(kind)
    if form is None or (form == "a" and record_class != 1):  # an address of Chaosnet is something else
        reader.at = end
        return _generic(data, start, end)
    try:
        text = dns_text.shortened(_fields(reader, form, end), MAX_TEXT)
        fits = reader.at == end
    except Malformed:
        if reader.work < 0:
            raise
        fits = False
    reader.at = end
    return text if fits else _generic(data, start, end)


def _generic(data: bytes, start: int, end: int) -> str:
    text = dns_text.generic(data[start : min(end, start + MAX_TEXT // 2)])
    if end - start > MAX_TEXT // 2:
        text = text.replace(f"# {MAX_TEXT // 2} ", f"# {end - start} ", 1) + dns_text.CUT
    return text


def _fields(reader: Reader, form: str, end: int) -> list[str]:
    """Every field of a form as text."""
    parts: list[str] = []
    for letter in form:
        if letter == "n":
            parts.append(reader.name())
        elif letter in "124":
            parts.append(str(reader.number(int(letter))))
        else:
            parts.append(_FIELDS[letter](reader, end))
    return parts


def _strings(reader: Reader, end: int) -> str:
    parts = []
    size = 0
    while reader.at < end:
        parts.append(dns_text.quoted(reader.string()))
        size += len(parts[-1]) + 1
        if size > MAX_TEXT:
            reader.at = end
    return " ".join(parts)


def _rest(reader: Reader, end: int) -> bytes:
    """What is left of the RDATA; Malformed when reading went beyond it already."""
    if reader.at > end:
        raise Malformed("a field is longer than its record")
    return reader.take(end - reader.at)


def _ipv6(reader: Reader, end: int) -> str:
    data = reader.take(16)
    if any(data[:10]):
        return inet_ntop(AF_INET6, data)
    hi, lo = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big")
    return format_address(hi, lo, 6) or ""  # mapped and compatible addresses are written the way flows write them


def _ipv4(reader: Reader, end: int) -> str:
    return inet_ntop(AF_INET, reader.take(4))


def _time(reader: Reader, end: int) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(reader.number(4)))


def _base32hex(reader: Reader, end: int) -> str:
    return base64.b32encode(reader.take(reader.number(1))).translate(_BASE32HEX).rstrip(b"=").decode("ascii")


def _bit_maps(reader: Reader, end: int) -> str:
    """Windows of 256 types, each with the octets that are not zero (RFC 4034 § 4.1.2)."""
    names = []
    while reader.at < end:
        window, octets = reader.number(1), reader.take(reader.number(1))
        for position, octet in enumerate(octets):
            if octet:
                reader.spend(octet.bit_count())
                names += [
                    dns_text.type_name(window << 8 | position << 3 | bit) for bit in range(8) if octet & 0x80 >> bit
                ]
    return " ".join(names)


def _parameters(reader: Reader, end: int) -> str:
    """SvcParams (RFC 9460 § 2.2): key=value words."""
    parts = []
    while reader.at < end:
        reader.spend()
        key, value = reader.number(2), reader.take(reader.number(2))
        name = _PARAMETERS.get(key) or f"key{key}"
        text = _parameter(key, value, reader)
        parts.append(f'{name}="{text}"' if text else name)
    return " ".join(parts)


def _parameter(key: int, value: bytes, reader: Reader) -> str:
    """One parameter's value in its presentation form; escaped bytes where it does not fit."""
    size = len(value)
    if key == 1:
        inner = Reader(value)
        inner.work = reader.work
        names = []
        while inner.at < size:
            names.append(dns_text.unquoted(inner.string()))
        reader.work = inner.work
        return ",".join(names)
    if key == 3 and size == 2:
        return str(int.from_bytes(value, "big"))
    if (key == 4 and size % 4 == 0) or (key == 6 and size % 16 == 0):
        step, family = (4, AF_INET) if key == 4 else (16, AF_INET6)
        reader.spend(size // step)
        return ",".join(inet_ntop(family, value[at : at + step]) for at in range(0, size, step))
    if key == 5:
        return base64.b64encode(value).decode("ascii")
    if key == 0 and size % 2 == 0:
        reader.spend(size // 2)
        keys = [int.from_bytes(value[at : at + 2], "big") for at in range(0, size, 2)]
        return ",".join(_PARAMETERS.get(number) or f"key{number}" for number in keys)
    return dns_text.unquoted(value)


_FIELDS: Final[dict[str, Callable[[Reader, int], str]]] = {
    "s": lambda reader, end: dns_text.quoted(reader.string()),
    "w": lambda reader, end: dns_text.unquoted(reader.string()),
    "S": _strings,
    "q": lambda reader, end: dns_text.quoted(_rest(reader, end)),
    "a": _ipv4,
    "6": _ipv6,
    "y": lambda reader, end: dns_text.type_name(reader.number(2)),
    "T": _time,
    "x": lambda reader, end: _rest(reader, end).hex(),
    "b": lambda reader, end: base64.b64encode(_rest(reader, end)).decode("ascii"),
    "h": lambda reader, end: reader.take(reader.number(1)).hex() or "-",
    "o": _base32hex,
    "m": _bit_maps,
    "p": _parameters,
}
