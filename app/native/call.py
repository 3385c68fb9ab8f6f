"""Calling a kernel: `kernel(*arguments)`, or `kernel.bind(…)` once and the bound kernel with what changes.

A call releases the interpreter's lock. A bound kernel owns one block of arguments, so it belongs to one thread at a time; a kernel itself to all.
"""

from __future__ import annotations

import array
import ctypes
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.native.arguments import ArrayArgument, NumberArgument, Shape


class _EachCall:
    def __repr__(self) -> str:
        return "EACH_CALL"


EACH_CALL: Final = _EachCall()  # the place of an argument that a bound kernel gets with each call

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)  # status (block)
_DATA: Final = (
    object.__basicsize__
)  # NumPy's C API: an array object is the head of any object, then the pointer to its data


def _read_address(array: NDArray[Any]) -> int:
    return ctypes.c_size_t.from_address(id(array) + _DATA).value


def _ask_address(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)  # right everywhere, and four times slower


_PROBE: Final = np.zeros(3, np.uint8)[1:]
_TRUSTED: Final = sys.implementation.name == "cpython" and _read_address(_PROBE) == _ask_address(_PROBE)
address: Final = _read_address if _TRUSTED else _ask_address
_Take = Callable[[Any], None]


class Bound(Protocol):
    """A kernel with some of its arguments; call it with the others, in order."""

    def __call__(self, *arguments: Any) -> Any: ...


class Kernel(Protocol):
    """A compiled function. Raises TypeError or OverflowError where an argument is not what it takes."""

    name: str

    def __call__(self, *arguments: Any) -> Any:
        """None, an int, a bool, or a tuple of int."""
        ...

    def bind(self, *arguments: Any) -> Bound:
        """Keep these arguments (arrays with their extents of now); EACH_CALL stands for those that come with each call."""
        ...


class NativeKernel:
    """Machine code at an address. Whoever makes one keeps the code loaded."""

    def __init__(self, name: str, address: int, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.function = _FUNCTION(address)

    def __call__(self, *arguments: Any) -> Any:
        return self.bind(*(EACH_CALL for _ in self.shape.arguments))(*arguments)

    def bind(self, *arguments: Any) -> Bound:
        return _BoundNative(self, arguments)


class _BoundNative:
    def __init__(self, kernel: NativeKernel, arguments: tuple[Any, ...]) -> None:
        shape = kernel.shape
        check_count(kernel.name, len(arguments), len(shape.arguments))
        self._name = kernel.name
        self._function = kernel.function
        self._block = array.array("q", bytes(8 * shape.words))
        self._pointer = self._block.buffer_info()[0]
        self._truth = shape.truth
        self._results = shape.results
        self._first = shape.words - shape.results
        self._held = arguments  # arrays must live as long as their addresses
        takers, place = [], 0
        for number, (value, argument) in enumerate(zip(arguments, shape.arguments, strict=True)):
            take = self._taker(number, argument, place)
            place += argument.words
            if value is EACH_CALL:
                takers.append(take)
            else:
                take(value)
        self._takers = tuple(takers)

    def _taker(self, number: int, argument: ArrayArgument | NumberArgument, place: int) -> _Take:
        """What puts a value of this argument into the block, or raises."""
        block, name = self._block, self._name
        if isinstance(argument, NumberArgument):
            word = argument.word

            def take_number(value: Any) -> None:
                if type(value) is int and 0 <= value < 2:  # in the range of each kind
                    block[place] = value
                    return
                try:
                    block[place] = word(value)
                except TypeError as error:
                    raise TypeError(f"{name}, argument {number}: {error}") from None
                except OverflowError as error:
                    raise OverflowError(f"{name}, argument {number}: {error}") from None

            return take_number
        dimensions, problem, known = argument.dimensions, argument.problem, argument.dtype

        def take_array(value: Any) -> None:
            nonlocal known
            if not (
                type(value) is np.ndarray and value.dtype is known and value.ndim == dimensions and value.flags.carray
            ):
                why = problem(value)
                if why:
                    raise TypeError(f"{name}, argument {number}: {why}")
                known = value.dtype  # equal: the same layout by another object
            block[place] = address(value)
            if dimensions == 1:
                block[place + 1] = len(value)
            else:
                for axis, extent in enumerate(value.shape, place + 1):
                    block[axis] = extent

        return take_array

    def __call__(self, *arguments: Any) -> Any:
        if len(arguments) != len(self._takers):
            check_count(self._name, len(arguments), len(self._takers))
        for take, value in zip(self._takers, arguments, strict=True):
            take(value)
        status = self._function(self._pointer)
        if status:
            raise RuntimeError(f"the kernel {self._name} failed with status {status}")
        if self._results == 1:
            result = self._block[self._first]
            return bool(result) if self._truth else result
        return tuple(self._block[self._first :]) if self._results else None


class NumbaKernel:
    """The same through numba in this process, for where objects cannot be used."""

    def __init__(self, name: str, function: Callable[..., Any], shape: Shape) -> None:
        self.name = name
        self._function = function
        self._shape = shape

    def __call__(self, *arguments: Any) -> Any:
        check_count(self.name, len(arguments), len(self._shape.arguments))
        return self._function(*map(self._checked, range(len(arguments)), arguments))

    def bind(self, *arguments: Any) -> Bound:
        check_count(self.name, len(arguments), len(self._shape.arguments))
        kept = [value if value is EACH_CALL else self._checked(k, value) for k, value in enumerate(arguments)]
        places = [k for k, value in enumerate(kept) if value is EACH_CALL]

        def call(*values: Any) -> Any:
            check_count(self.name, len(values), len(places))
            these = kept.copy()
            for place, value in zip(places, values, strict=True):
                these[place] = self._checked(place, value)
            return self._function(*these)

        return call

    def _checked(self, number: int, value: Any) -> Any:
        argument = self._shape.arguments[number]
        if isinstance(argument, NumberArgument):
            try:
                word = argument.word(value)
            except (TypeError, OverflowError) as error:
                raise type(error)(f"{self.name}, argument {number}: {error}") from None
            return np.uint64(value) if argument.kind == "uint64" else bool(word) if argument.kind == "boolean" else word
        why = argument.problem(value)
        if why:
            raise TypeError(f"{self.name}, argument {number}: {why}")
        return value


def check_count(name: str, given: int, needed: int) -> None:
    """Raises TypeError where they differ."""
    if given != needed:
        raise TypeError(f"{name} takes {needed} arguments here, not {given}")
