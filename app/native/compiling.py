"""numba's side: a declared kernel to an object, or to a function of this process."""

# mypy: disable-error-code="no-untyped-call,misc,assignment"
from __future__ import annotations

import contextlib
import importlib
from typing import Any

from llvmlite import ir
from numba.core import compiler, types
from numba.np import numpy_support

from app.native import ahead
from app.native.arguments import Argument, ArrayArgument, NumberArgument, Shape
from app.native.call import NumbaKernel
from app.native.declare import fill_array
from app.native.objects import StoredKernel
from app.native.registry import Entry

_NUMBERS = {types.int64: "int64", types.uint64: "uint64", types.boolean: "boolean"}


def declared(entry: Entry) -> Any:
    """The dispatcher of a registered kernel; imports its module."""
    return getattr(importlib.import_module(entry.module), entry.attribute)


def shape_of(signature: Any) -> Shape:
    """The arguments and results of a kernel's signature. Raises TypeError where a kernel cannot have such."""
    arguments = tuple(_argument(one) for one in signature.args)
    returns = signature.return_type
    if returns == types.none:
        return Shape(arguments, 0)
    if isinstance(returns, types.UniTuple) and returns.dtype == types.int64:
        return Shape(arguments, returns.count)
    if returns not in (types.int64, types.boolean):
        raise TypeError(f"a kernel cannot return {returns}")
    return Shape(arguments, 1, returns == types.boolean)


def _argument(kind: Any) -> Argument:
    if isinstance(kind, types.Array):
        if kind.layout != "C" or kind.ndim not in (1, 2, 3):
            raise TypeError(f"a kernel cannot take {kind}")
        return ArrayArgument(numpy_support.as_dtype(kind.dtype), kind.ndim, kind.mutable)
    if kind not in _NUMBERS:
        raise TypeError(f"a kernel cannot take {kind}")
    return NumberArgument(_NUMBERS[kind])


def to_object(entry: Entry) -> StoredKernel:
    """Compile for this machine, in the form that `app.native.call` calls. `ahead.prepare` must have run."""
    kernel = declared(entry)
    signature = kernel.declared_signature
    shape = shape_of(signature)
    symbol = f"netglass_{entry.name}"
    context = ahead.CONTEXT.subtarget()

    def add_entry(library: Any, description: Any, environment: Any, call_helper: Any) -> None:
        library.add_ir_module(_entry_module(context, description, symbol, shape))

    # numba adds its wrapper for C to the kernel's library before it optimises: ours takes that one's place, so all is optimised once.
    context.create_cfunc_wrapper = add_entry
    flags = compiler.Flags()
    flags.no_cpython_wrapper = True
    flags.error_model = "numpy"
    flags.nrt = False
    compiled = compiler.compile_extra(
        ahead.TYPING,
        context,
        kernel.py_func,
        signature.args,
        signature.return_type,
        flags,
        {},
        pipeline_class=ahead.Pipeline,
    )
    return StoredKernel(entry.name, symbol, compiled.library.object_code(), shape)


def in_process(entry: Entry) -> NumbaKernel:
    """Compile, or load from numba's own cache, for calls through numba."""
    kernel = declared(entry)
    if kernel.declared_signature.args not in kernel.overloads:
        with contextlib.suppress(RuntimeError):  # no directory that numba may write
            kernel.enable_caching()
        kernel.compile(kernel.declared_signature)
        kernel.disable_compile()
    return NumbaKernel(entry.name, kernel, shape_of(kernel.declared_signature))


def _entry_module(context: Any, description: Any, symbol: str, shape: Shape) -> Any:
    """`int32 symbol(int64 *block)`: takes the arguments out of the block, calls the kernel, puts the results behind them. Returns its status."""
    module = context.create_module(symbol)
    kernel_type = context.call_conv.get_function_type(description.restype, description.argtypes)
    kernel = ir.Function(module, kernel_type, description.llvm_func_name)
    word = ir.IntType(64)
    entry = ir.Function(module, ir.FunctionType(ir.IntType(32), [word.as_pointer()]), symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))

    def place(number: int) -> Any:
        return builder.gep(entry.args[0], [ir.Constant(word, number)])

    values, at = [], 0
    for kind, argument in zip(description.argtypes, shape.arguments, strict=True):
        words = [builder.load(place(at + k)) for k in range(argument.words)]
        at += argument.words
        if isinstance(argument, ArrayArgument):
            data = builder.inttoptr(words[0], context.get_data_type(kind.dtype).as_pointer())
            values.append(fill_array(context, builder, kind, data, words[1:]))
        elif argument.kind == "boolean":
            values.append(builder.icmp_unsigned("!=", words[0], ir.Constant(word, 0)))
        else:
            values.append(words[0])
    status, result = context.call_conv.call_function(
        builder, kernel, description.restype, description.argtypes, values, attrs=("noinline",)
    )
    for k in range(shape.results):
        one = builder.extract_value(result, k) if isinstance(description.restype, types.UniTuple) else result
        builder.store(builder.zext(one, word) if shape.truth else one, place(at + k))
    builder.ret(status.code)
    return module
