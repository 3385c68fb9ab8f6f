"""How a kernel is declared: `@kernel(signature)` on a function that numba can compile without its allocator.

Nothing is compiled at import. The build makes an object of the function; where objects cannot be used, numba compiles it for this very signature.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np import arrayobj

# No reference counting and no heap: an object must not need numba's runtime. What would need it does not compile.
OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def kernel(signature: Any) -> Callable[[Any], Any]:
    """Declare a kernel. Its arrays are C-contiguous, its other arguments int64, uint64 or boolean, as the signature says."""

    def declare(function: Any) -> Any:
        dispatcher = numba.njit(**OPTIONS)(function)
        dispatcher.declared_signature = signature
        return dispatcher

    return declare


def stack_array(shape: tuple[int, ...], item: Any) -> Any:
    """A function for kernels: a new array of `item` (a numba type) on the stack, not initialised, gone when the kernel returns."""
    array_type = types.Array(item, len(shape), "C")

    @intrinsic
    def make(typingctx: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            data = cgutils.alloca_once(builder, ir.ArrayType(context.get_data_type(item), prod(shape)))
            extents = [context.get_constant(types.intp, extent) for extent in shape]
            return fill_array(context, builder, array_type, data, extents)

        return array_type(), codegen

    return make


def fill_array(context: Any, builder: Any, array_type: Any, data: Any, shape: list[Any]) -> Any:
    """LLVM code for a C-contiguous array over memory that somebody else owns. data: a pointer; shape: LLVM values."""
    array = context.make_array(array_type)(context, builder)
    item_size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
    strides: list[Any] = []
    step = item_size
    for extent in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, extent)
    arrayobj.populate_array(
        array,
        data=builder.bitcast(data, array.data.type),
        shape=shape,
        strides=strides,
        itemsize=item_size,
        meminfo=None,
    )
    return array._getvalue()
