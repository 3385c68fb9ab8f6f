"""The corrected estimate, its interval, and the words for kinds of bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.entropy import VERDICTS
from app.stats import entropy_layout as at
from app.stats.entropy_estimate import MAGIC, compressed_heads, estimates, is_text, verdicts
from tests.payload_frames import noise, text


def measure(counts: np.ndarray) -> np.ndarray:
    """The kernel's measurement, in NumPy: the oracle."""
    out = np.zeros(at.MEASURE_SIZE)
    n = int(counts.sum())
    out[at.M_N] = n
    if not n:
        return out
    some = counts[counts > 0]
    p = some / n
    table, classes = at.logarithms(), at.byte_classes()
    out[at.M_PLAIN] = -(p * np.log2(p)).sum()
    out[at.M_SECOND] = (p * np.log2(p) ** 2).sum()
    out[at.M_DISTINCT] = len(some)
    out[at.M_CHI] = 256 / n * (counts.astype(float) ** 2).sum() - n
    rest = np.sort(counts)[: 256 - at.TRIM].astype(float)
    out[at.M_TRIMMED] = ((rest - rest.mean()) ** 2).sum() / rest.mean() if rest.sum() else 0
    out[at.M_CORRECTED] = np.log2(n) - table[1][some].sum() / n
    kinds = classes[:, 0]
    for place, bit in (
        (at.M_TEXT, at.C_TEXT),
        (at.M_CONTINUING, at.C_CONTINUING),
        (at.M_FORBIDDEN, at.C_FORBIDDEN),
        (at.M_BASE64, at.C_BASE64),
    ):
        out[place] = counts[(kinds & bit) > 0].sum() / n
    out[at.M_ZERO] = counts[0] / n
    out[at.M_ANNOUNCED] = (counts * classes[:, 1]).sum() / n
    return out


def of(data: bytes) -> np.ndarray:
    return measure(np.bincount(np.frombuffer(data, np.uint8), minlength=256))


@pytest.mark.parametrize("kind", ["uniform", "text", "half"])
@pytest.mark.parametrize("n", [256, 1024, 4096])
def test_the_estimate_is_nearly_unbiased_and_its_interval_holds(kind, n):
    rng = np.random.default_rng(n)
    letters = np.bincount(np.frombuffer(text(50_000), np.uint8), minlength=256)
    letters = letters / letters.sum()
    p = {"uniform": np.full(256, 1 / 256), "text": letters, "half": letters / 2 + 1 / 512}[kind]
    truth = -(p[p > 0] * np.log2(p[p > 0])).sum()
    found = estimates(np.array([measure(rng.multinomial(n, p)) for _ in range(400)]))
    plain = np.mean([measure(rng.multinomial(n, p))[at.M_PLAIN] for _ in range(100)])
    assert abs(found.value.mean() - truth) <= (0.15 if n == 256 else 0.02)
    assert abs(found.value.mean() - truth) < abs(plain - truth)
    assert ((found.low - 1e-9 <= truth) & (truth <= found.high + 1e-9)).mean() >= 0.9


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 5_000), min_size=256, max_size=256))
def test_values_stay_within_bounds(counts):
    found = estimates(measure(np.array(counts)))
    if not any(counts):
        assert np.isnan(found.value)
    else:
        assert 0 <= found.low <= found.value <= found.high + 1e-9 <= 8 + 1e-8


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" * 3, True),
        ("Привет, как дела? Всё хорошо. ".encode() * 20, True),
        ("日本語の文章です。".encode() * 20, True),
        (bytes(range(256)) * 4, False),
        (b"\0" * 500, False),
        (b"text with\0zero bytes\0in it\0" * 20, False),
        (noise(2_000), False),
    ],
)
def test_text_is_told(data, expected):
    assert bool(is_text(of(data))) is expected


NO_BITS = np.array([np.nan, np.nan])
EVEN_BITS = np.array([255.0, 255.0])


def word(data: bytes, bits: np.ndarray = NO_BITS) -> str:
    return VERDICTS[int(verdicts(of(data), bits))]


def test_a_small_sample_says_so():
    assert word(noise(40)) == "too little"
    assert word(noise(300)) == "too little"
    assert word(noise(1_000)) == "compressed or encrypted"
    assert word(noise(4_096), EVEN_BITS) == "encrypted or random"
    assert word(b"short text, but text: " * 4) == "text"


def test_a_known_head_is_compressed_whatever_follows():
    head = np.array([int.from_bytes(b"\x1f\x8b\x08\0\0\0\0\0", "little")])
    assert VERDICTS[int(verdicts(of(noise(4_096))[None], EVEN_BITS[None], head)[0])] == "compressed"
    for _, magic in MAGIC:
        words = np.array([int.from_bytes(magic.ljust(8, b"\xa7"), "little", signed=True)])
        assert compressed_heads(words)[0]
    assert not compressed_heads(np.array([0, -1, 0x1F]))[0:3].any()
