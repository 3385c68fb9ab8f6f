"""Byte statistics to an entropy with its interval, and to a word for what the bytes are. Pure functions over arrays of measurements.

The estimate is Grassberger's (P. Grassberger, "Entropy Estimates from Insufficient Samplings", arXiv:physics/0307138): a plain Shannon value of n random bytes
is 0.83 bits too low at n = 256 and 0.05 at 4,096, with Miller and Madow's correction 0.37 and 0.00, with this one 0.07 and 0.00. The variance is that of
Basharin (1959), (Σ p · log2² p − H²) / n, with the next term, (K − 1) / (2 n² ln² 2), which is all there is for equal frequencies. Bytes are taken to be
independent, which they are not in text: the interval there is that of the byte frequencies, not of the language.

Compressed and encrypted bytes are told apart by χ² and by the bit sample: deflate, zstd and bzip2 write codes whose lengths are not multiples of eight, so the frequencies
of eight bits at *every* bit position differ from equal ones long before those of bytes do. At 4 KiB this tells 92 of 100 pieces of deflate and nearly all of
bzip2 from random bytes, and calls 1 of 100 random ones compressed. LZMA, xz and brotli's best cannot be told from encryption in this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.entropy import BINARY, COMPRESSED, ENCRYPTED, HIGH, TEXT, TOO_LITTLE
from app.stats import entropy_layout as at

Floats = NDArray[np.float64]

DEVIATIONS: Final = 1.96  # 95 % of a normal distribution
LEAST: Final = 64  # bytes below which nothing is said
LEAST_HIGH: Final = 512  # bytes below which high entropy cannot be told from a rich binary format
LEAST_KIND: Final = 3072  # bytes below which compressed and encrypted are not told apart
COMPRESSED_BITS: Final = (
    7.4  # what is above is compressed or encrypted; machine code, pictures and sound as such are below
)
TEXT_SHARE: Final = 0.97
CHI_RANDOM: Final = 300.0  # of 248 values without the 8 most frequent: 210 ± 21 of random bytes
CHI_COMPRESSED: Final = 340.0  # of all 256 values: 255 ± 22.6 of random bytes
# Of the bit sample, in both orders: 255 ± 39 and 255 ± 24 of random bytes; one of two hundred is above.
BITS_RANDOM: Final = np.array((375.0, 326.0))

# The first bytes of compressed forms (as many as are compared): gzip, zip, zstd, xz, bzip2, 7z, LZ4, PNG, JPEG, GIF, zlib (RFC 1950 § 2.2)
MAGIC: Final[tuple[tuple[str, bytes], ...]] = (
    ("gzip", b"\x1f\x8b\x08"),
    ("zip", b"PK\x03\x04"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("xz", b"\xfd7zXZ\x00"),
    ("bzip2", b"BZh"),
    ("7z", b"7z\xbc\xaf\x27\x1c"),
    ("lz4", b"\x04\x22\x4d\x18"),
    ("png", b"\x89PNG"),
    ("jpeg", b"\xff\xd8\xff"),
    ("zlib", b"\x78\x01"),
    ("zlib", b"\x78\x5e"),
    ("zlib", b"\x78\x9c"),
    ("zlib", b"\x78\xda"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Corrected entropy, bits per byte, with a 95 % interval; NaN where there are no bytes. All of one shape."""

    value: Floats
    low: Floats
    high: Floats


def estimates(measures: Floats) -> Estimates:
    """Of measurements [..., MEASURE_SIZE]."""
    n, plain = measures[..., at.M_N], measures[..., at.M_PLAIN]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.clip(measures[..., at.M_CORRECTED], 0.0, 8.0)
        first = np.maximum(measures[..., at.M_SECOND] - plain * plain, 0.0) / n
        second = (measures[..., at.M_DISTINCT] - 1) / (2 * (n * np.log(2)) ** 2)
        spread = DEVIATIONS * np.sqrt(first + second)
        miller_madow = plain + (measures[..., at.M_DISTINCT] - 1) / (2 * n * np.log(2))
    # Where the two corrections differ the sample is too small for either: what is left of the bias is of that size, upwards.
    left = np.maximum(value - np.minimum(miller_madow, 8.0), 0.0)
    empty = n <= 0
    value = np.where(empty, np.nan, np.maximum(value, plain))
    low = np.where(empty, np.nan, np.maximum(value - spread, 0.0))
    high = np.where(empty, np.nan, np.minimum(value + spread + left, 8.0))
    return Estimates(value, low, high)


def is_text(measures: Floats) -> NDArray[np.bool_]:
    """Printable ASCII, or UTF-8 whose lead bytes announce as many continuation bytes as there are (RFC 3629), and next to no control bytes."""
    ascii_share, continuing = measures[..., at.M_TEXT], measures[..., at.M_CONTINUING]
    announced = measures[..., at.M_ANNOUNCED]
    clean = measures[..., at.M_FORBIDDEN] <= 0.004
    balanced = np.abs(announced - continuing) <= 0.02 + 0.05 * continuing
    utf8 = clean & balanced & (continuing > 0) & (measures[..., at.M_CORRECTED] < 7.0)
    return (clean & (ascii_share >= TEXT_SHARE)) | utf8


def verdicts(measures: Floats, bits: Floats, heads: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """Indexes into VERDICTS. measures [..., MEASURE_SIZE]; bits [..., 2] scores of the bit sample, NaN where there is none; heads: the first eight bytes,
    where the measurement begins with the direction's first byte."""
    found = estimates(measures)
    n = measures[..., at.M_N]
    result = np.full(n.shape, BINARY, np.uint8)
    high = found.value >= COMPRESSED_BITS
    uneven = (measures[..., at.M_TRIMMED] > CHI_RANDOM) & (measures[..., at.M_CHI] > CHI_COMPRESSED)
    with np.errstate(invalid="ignore"):
        coded = (bits > BITS_RANDOM).any(axis=-1)
    told = ~np.isnan(bits).any(axis=-1) & (n >= LEAST_KIND)
    result[high] = HIGH
    result[high & told & ~uneven & ~coded] = ENCRYPTED
    result[high & (coded | (uneven & (n >= LEAST_KIND)))] = COMPRESSED
    if heads is not None:
        known = compressed_heads(heads)
        result[known & (found.high >= COMPRESSED_BITS - 0.4) & (n >= LEAST)] = COMPRESSED
    small = (n < LEAST_HIGH) & (result != COMPRESSED) & (found.high >= COMPRESSED_BITS)
    result[small] = TOO_LITTLE
    result[is_text(measures)] = TEXT
    result[n < LEAST] = TOO_LITTLE
    return result


def compressed_heads(heads: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these begin like a compressed form."""
    words = heads.astype(np.uint64)
    found = np.zeros(words.shape, np.bool_)
    for _, magic in MAGIC:
        mask = np.uint64((1 << 8 * len(magic)) - 1)
        found |= (words & mask) == np.uint64(int.from_bytes(magic, "little"))
    return found
