"""DNS in words: the names of types, response codes and operations, and how wire bytes are written as text.

Text follows master files (RFC 1035 § 5.1) where it must: bytes that do not print are \\DDD, a dot inside a label is \\., a backslash \\\\.
Names carry no final dot; the root is ".".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

ROOT: Final = "."
CUT: Final = "…"  # ends a text of which no more could be read

OPCODE_QUERY: Final = 0
OPCODE_UPDATE: Final = 5
OPCODES: Final = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}

# IANA "Resource Record (RR) TYPEs", those that are met
TYPES: Final[dict[int, str]] = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS", 12: "PTR",
    13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP",
    23: "NSAP-PTR", 24: "SIG", 25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 33: "SRV", 35: "NAPTR",
    36: "KX", 37: "CERT", 38: "A6", 39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG",
    47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 56: "NINFO",
    59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 103: "UNSPEC",
    104: "NID", 105: "L32", 106: "L64", 107: "LP", 108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR",
    252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 258: "AVC", 260: "AMTRELAY",
    32768: "TA", 32769: "DLV",
}  # fmt: skip
NETBIOS_TYPES: Final = {32: "NB", 33: "NBSTAT"}  # RFC 1002 § 4.2.1.3; the same numbers mean other things in DNS

# IANA "DNS RCODEs"; those above 15 need the upper bits of an OPT record (RFC 6891 § 6.1.3)
RCODES: Final[dict[int, str]] = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE",
    20: "BADNAME", 21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip

_ORDINARY = re.compile(rb"[!-\-/-\[\]-~]*")  # what a label may hold without being escaped
_LABEL_ESCAPES = [chr(b) if 0x21 <= b <= 0x7E else f"\\{b:03d}" for b in range(256)]
_LABEL_ESCAPES[0x2E] = "\\."
_LABEL_ESCAPES[0x5C] = "\\\\"
_QUOTED_ESCAPES = [chr(b) if 0x20 <= b <= 0x7E else f"\\{b:03d}" for b in range(256)]
_QUOTED_ESCAPES[0x22] = '\\"'
_QUOTED_ESCAPES[0x5C] = "\\\\"


def type_name(number: int, netbios: bool = False) -> str:
    """A, AAAA …; TYPEn where the number has no name (RFC 3597 § 5)."""
    if netbios and number in NETBIOS_TYPES:
        return NETBIOS_TYPES[number]
    return TYPES.get(number) or f"TYPE{number}"


def rcode_name(number: int) -> str:
    """NOERROR, NXDOMAIN …; RCODEn where the number has no name."""
    return RCODES.get(number) or f"RCODE{number}"


def escape_label(label: bytes) -> str:
    """One label, every byte that does not print as \\DDD."""
    return label.decode("latin-1").translate(_LABEL_ESCAPES)


def unicode_label(label: bytes) -> str:
    """One label of multicast DNS, which is UTF-8 and may hold spaces (RFC 6762 § 16); escaped where it is not printable text."""
    try:
        text = label.decode("utf-8")
    except UnicodeDecodeError:
        return escape_label(label)
    if not text.isprintable():
        return escape_label(label)
    return text.replace("\\", "\\\\").replace(".", "\\.")


def name_text(labels: Sequence[bytes], utf8: bool = False) -> str:
    """A domain name from its labels."""
    if not labels:
        return ROOT
    if _ORDINARY.fullmatch(b"".join(labels)):
        return b".".join(labels).decode("ascii")
    return ".".join(map(unicode_label if utf8 else escape_label, labels))


def quoted(text: bytes) -> str:
    """A character string in quotes."""
    return '"' + text.decode("latin-1").translate(_QUOTED_ESCAPES) + '"'


def unquoted(text: bytes) -> str:
    """Bytes as a word: what does not print, and spaces, escaped."""
    return text.decode("latin-1").translate(_LABEL_ESCAPES)


def generic(data: bytes) -> str:
    """RDATA of an unknown form: \\# length hex (RFC 3597 § 5)."""
    return f"\\# {len(data)} {data.hex()}".rstrip()


def shortened(parts: Iterable[str], limit: int) -> str:
    """Parts joined by spaces, cut at `limit` characters."""
    text = " ".join(parts)
    return text if len(text) <= limit else text[:limit] + CUT
