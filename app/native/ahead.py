"""numba as a compiler ahead of time: for functions that only kernels call, what Python would need to call them is left out.

numba makes machine code, two wrappers and a runtime for every function it meets, optimises each with all that it calls, and asks all it knows about
types anew at each operator. A build needs none of that: one object per kernel. `prepare` changes numba in this process, which then compiles kernels and ends;
where numba's insides are others than here, it raises or the build fails, and kernels are compiled as numba does it.
"""

# mypy: disable-error-code="no-untyped-call,no-untyped-def,misc,assignment,attr-defined"
from __future__ import annotations

from typing import Any, Final

from numba.core import codegen, compiler, dispatcher, ir, typed_passes, types, untyped_passes
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.core.types import functions

CONTEXT: Final = cpu_target.target_context
TYPING: Final = cpu_target.typing_context
_NO_VARIABLES: Final = frozenset({str, int, bool, float, type(None), ir.Loc})


class Library(codegen.JITCodeLibrary):
    """The LLVM module of one function. It is optimised and made into machine code once, with all that it calls, where somebody asks for it."""

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def object_code(self) -> bytes:
        """The ELF object."""
        self._ensure_finalized()
        self._optimize_final_module()
        self._final_module.verify()
        code: bytes = self._codegen._tm.emit_object(self._final_module)
        return code


class Pipeline(compiler.CompilerBase):
    """numba's passes without those for closures, literal containers and array expressions, of which kernels have none."""

    def define_pipelines(self) -> list[Any]:
        passes = PassManager("kernels")
        passes.add_pass(untyped_passes.TranslateByteCode, "analyzing bytecode")
        passes.add_pass(untyped_passes.FixupArgs, "fix up args")
        passes.add_pass(untyped_passes.IRProcessing, "processing IR")
        passes.add_pass(untyped_passes.InlineInlinables, "inline inlinable functions")
        passes.add_pass(untyped_passes.ReconstructSSA, "ssa")
        passes.add_pass(typed_passes.NopythonTypeInference, "nopython frontend")
        passes.add_pass(typed_passes.PreLowerStripPhis, "remove phis nodes")
        passes.add_pass(typed_passes.AnnotateTypes, "annotate types")
        passes.add_pass(typed_passes.NativeLowering, "native lowering")
        passes.add_pass(typed_passes.NoPythonBackend, "nopython mode backend")
        passes.finalize()
        return [passes]


def prepare() -> None:
    """Make numba compile for objects alone, in this process, for good."""
    CONTEXT.codegen()._library_class = Library
    CONTEXT.post_lowering = lambda module, library: None  # no runtime of numba's
    # The dispatcher wants a function of C to keep; nobody calls it.
    CONTEXT.get_executable = lambda library, description, environment: [library].append
    dispatcher._FunctionCompiler._compile_core = _compile_part
    functions.BaseFunction.get_call_type = _remembered(functions.BaseFunction.get_call_type)
    ir.Inst._rec_list_vars = _variables


def _compile_part(self, arguments: Any, return_type: Any) -> Any:
    """In the place of `_FunctionCompiler._compile_core`: a function that another one calls, without wrappers for Python and C."""
    flags = compiler.Flags()
    self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.nrt = False
    function = self._get_implementation(arguments, {})
    ours = function.__module__.startswith("app.")
    return compiler.compile_extra(
        self.targetdescr.typing_context,
        self.targetdescr.target_context,
        function,
        args=arguments,
        return_type=return_type,
        flags=flags,
        locals=self.locals,
        pipeline_class=Pipeline if ours else self.pipeline_class,
    )


def _remembered(resolve: Any) -> Any:
    """The types of an operator for the same types of arguments, asked once in place of thousands of times."""
    known: dict[tuple[Any, Any], Any] = {}

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        if kws or not isinstance(self, types.Function):
            return resolve(self, context, args, kws)
        signature = known.get((self, args))
        if signature is None:
            signature = known[self, args] = resolve(self, context, args, kws)
        return signature

    return get_call_type


def _variables(self, value: Any) -> list[Any]:
    """In the place of `Inst._rec_list_vars`, which looks at every line and position as well: the variables in a value, however deep."""
    if type(value) is dict:
        value = value.values()
    elif type(value) not in (list, tuple):
        value = (value,)
    found: list[Any] = []
    for one in value:
        kind = type(one)
        if kind is ir.Var:
            found.append(one)
        elif kind in _NO_VARIABLES:
            continue
        elif kind is list or kind is tuple or kind is dict:
            found += _variables(self, one)
        elif isinstance(one, ir.Inst):
            found += one.list_vars()
    return found
