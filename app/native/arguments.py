"""What a kernel's arguments are, and the block of numbers through which they reach it.

A kernel takes one pointer, to int64 words: for an array its address and its extents, for a number the number; behind them are the results. Whatever
does not fit its argument exactly is refused here: compiled code checks nothing.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

_RECORD_KEYS: Final = ("names", "formats", "offsets", "itemsize")
NUMBERS: Final = ("int64", "uint64", "boolean")


@dataclass(frozen=True, slots=True)
class ArrayArgument:
    """A C-contiguous array of `dimensions` extents; `writable`: the kernel may write to it."""

    dtype: np.dtype[Any]
    dimensions: int
    writable: bool

    @property
    def words(self) -> int:
        return 1 + self.dimensions

    def problem(self, value: Any) -> str | None:
        """Why a value is not this argument; None: it is."""
        if not isinstance(value, np.ndarray):
            return f"an array of {self.dtype} is needed, not {type(value).__name__}"
        if value.dtype is not self.dtype and value.dtype != self.dtype:
            return f"an array of {self.dtype} is needed, not of {value.dtype}"
        if value.ndim != self.dimensions:
            return f"an array with {self.dimensions} dimensions is needed, not {value.ndim}"
        if not value.flags.c_contiguous or not value.flags.aligned:
            return "the array must be contiguous"
        if self.writable and not value.flags.writeable:
            return "the array must be writable"
        return None


@dataclass(frozen=True, slots=True)
class NumberArgument:
    """An integer: `kind` is one of NUMBERS."""

    kind: str
    words: int = 1

    def word(self, value: Any) -> int:
        """The value in 64 bits with a sign. Raises TypeError or OverflowError."""
        number = int(value) if isinstance(value, np.bool_) else operator.index(value)
        low, high = {"int64": (-(1 << 63), 1 << 63), "uint64": (0, 1 << 64), "boolean": (0, 2)}[self.kind]
        if not low <= number < high:
            raise OverflowError(f"{number} is not of type {self.kind}")
        return number - (1 << 64) if number >= 1 << 63 else number


Argument = ArrayArgument | NumberArgument


@dataclass(frozen=True, slots=True)
class Shape:
    """A kernel's arguments in order, and its results: how many, and whether they are truth values."""

    arguments: tuple[Argument, ...]
    results: int
    truth: bool = False

    @property
    def words(self) -> int:
        return sum(argument.words for argument in self.arguments) + self.results

    def to_json(self) -> dict[str, Any]:
        return {
            "arguments": [_argument_json(argument) for argument in self.arguments],
            "results": self.results,
            "truth": self.truth,
        }


def shape_from_json(document: dict[str, Any]) -> Shape:
    """The reverse of `Shape.to_json`. Raises KeyError, TypeError or ValueError on anything else."""
    arguments = tuple(_argument_from_json(argument) for argument in document["arguments"])
    return Shape(arguments, int(document["results"]), bool(document["truth"]))


def _argument_json(argument: Argument) -> Any:
    if isinstance(argument, NumberArgument):
        return argument.kind
    return [_dtype_json(argument.dtype), argument.dimensions, argument.writable]


def _argument_from_json(document: Any) -> Argument:
    if isinstance(document, str):
        if document not in NUMBERS:
            raise ValueError(f"{document} is no kind of number")
        return NumberArgument(document)
    dtype, dimensions, writable = document
    return ArrayArgument(np.dtype(dtype), int(dimensions), bool(writable))


def _dtype_json(dtype: np.dtype[Any]) -> Any:
    if dtype.fields is None:
        return dtype.str
    names = list(dtype.names or ())
    parts = [dtype.fields[name] for name in names]
    if any(part[0].fields or part[0].subdtype for part in parts):
        raise TypeError("records in records are not for kernels")
    values = (names, [part[0].str for part in parts], [part[1] for part in parts], dtype.itemsize)
    return dict(zip(_RECORD_KEYS, values, strict=True))
