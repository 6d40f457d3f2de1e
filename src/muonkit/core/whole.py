"""Kernels are optimised whole: once for each function that Python calls, together with all that it calls.

numba links, optimises and emits every compiled function alone, with its callees, and then again in each of its callers.
The same bodies go through LLVM once for each level of calls above them, which was 70 % of the first `identify`. Here an
inner function (`Part`) is translated to LLVM and no further. A function that Python calls (`Whole`) collects all that
it calls, directly or not, and is optimised once.

numba lets its users choose the pipeline of a function. That a library is never emitted is not among its promises:
`SUPPORTED` looks whether numba is what this file was written for, and `compiled` keeps to numba's own way where it is
not."""

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from filelock import FileLock
from numba.core import codegen, compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.environment import lookup_environment
from numba.core.registry import CPUDispatcher

USED = (
    "_optimize_final_module",
    "_optimize_functions",
    "_finalize_final_module",
    "_get_module_for_linking",
    "_unserialize",
    "_verify_declare_only_symbols",
    "finalize",
)
SUPPORTED = (
    all(hasattr(codegen.JITCodeLibrary, name) for name in USED)
    and hasattr(compiler.DefaultPassBuilder, "define_nopython_pipeline")
    and "no_compile" in compiler.Flags.options
    and {"entry_point", "fndesc", "library"} <= set(compiler.CR_FIELDS)
)


class _Library(codegen.JITCodeLibrary):  # type: ignore[misc]
    """numba's own, with one pass manager for a module: numba makes one for each function that is only declared, too."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager()
        for function in ll_module.functions:
            if not function.is_declaration:
                passes.run(function, builder)


class Part(_Library):
    """Code of an inner function: linked into others, never optimised nor emitted alone."""

    def finalize(self) -> None:
        """Nothing is left to do; numba calls this before it links."""
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """As numba's, without the callees: several callers may bring the same function, and one of them stays."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == llvm.Linkage.external:
                function.linkage = "linkonce_odr"
        return self._final_module


class Apart(Part):
    """A long part with several callers that stays one function.

    LLVM would inline it: it takes the words of all arrays at each call for their price, before it drops the unused."""

    def _get_module_for_linking(self) -> Any:
        module = super()._get_module_for_linking()
        for function in module.functions:
            if function.linkage == llvm.Linkage.linkonce_odr:
                function.add_function_attribute("noinline")
        return module


class Whole(_Library):
    """Code of a function that Python calls, with all that it calls."""

    def finalize(self) -> None:
        """Link all parts, then optimise once."""
        self._linking_libraries = list(reversed(_callees(self, {})))
        super().finalize()

    def _optimize_final_module(self) -> None:
        """Nobody else calls the parts: LLVM may drop the arguments that they do not use. A field kernel is called with
        the 300 words of all arrays of a detector and needs 15, so a call is cheap and not all need to be inlined."""
        for function in self._final_module.functions:
            if function.linkage == llvm.Linkage.linkonce_odr:
                function.linkage = llvm.Linkage.internal
        super()._optimize_final_module()

    def _verify_declare_only_symbols(self) -> None:
        """Whatever is missing would be called at address 0."""
        missing = [
            one.name for one in self._final_module.functions if one.is_declaration and one.name.startswith("_ZN")
        ]
        if missing:
            raise AssertionError(f"{self.name} calls what is not linked: {missing}")

    def _finalize_final_module(self) -> None:
        """Emit; the parts have no machine code of their own in which their environments could be set."""
        super()._finalize_final_module()
        for variable in self._final_module.global_variables:
            environment = lookup_environment(variable.name)
            if environment is not None:
                self.codegen.set_env(variable.name, environment)


def _callees(library: Any, done: dict[Any, None]) -> dict[Any, None]:
    """All libraries that this one calls, last those that call the others; one that is finished has its callees in it.

    A function is linked only if something that is linked before calls it: callers must come first, so the order is that
    of a depth-first search from behind."""
    for callee in library._linking_libraries:
        if callee not in done:
            if isinstance(callee, Part):
                _callees(callee, done)
            done[callee] = None
    return done


class _Compiler(compiler.CompilerBase):  # type: ignore[misc]
    """numba's own pipeline, into another library."""

    library: type

    def define_pipelines(self) -> list[Any]:
        self.state.library = self.library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        return [compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)]


class WholeCompiler(_Compiler):
    """For functions that Python calls."""

    library = Whole


class PartCompiler(_Compiler):
    """For inner functions. numba finds a callee by the address of its machine code; an empty object stands for it."""

    library = Part

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.flags.no_compile = True

    def compile_extra(self, func: Any) -> Any:
        """The result as numba's own, with the object that stands for machine code."""
        result = super().compile_extra(func)._replace(entry_point=object())
        self.state.targetctx.insert_user_function(result.entry_point, result.fndesc, [result.library])
        return result


class ApartCompiler(PartCompiler):
    """For inner functions that are not inlined."""

    library = Apart


class Outer(CPUDispatcher):  # type: ignore[misc]
    """A function that Python calls. Of several processes one compiles it; the others wait and read it from disk."""

    def __init__(self, py_func: Callable[..., Any], locals: Any = None, targetoptions: Any = None) -> None:
        super().__init__(py_func, locals, targetoptions, pipeline_class=WholeCompiler)

    def compile(self, sig: Any) -> Any:
        """As numba's. The lock of the compiler comes first, or two threads could wait for each other."""
        with global_compiler_lock, _alone(self._cache.cache_path, self.py_func.__name__), _no_collection():
            return super().compile(sig)


@contextmanager
def _alone(folder: str | None, name: str) -> Iterator[None]:
    """No other process compiles this function; where no lock can be had, it may."""
    with ExitStack() as stack:
        if folder is not None:
            with suppress(OSError, NotImplementedError):
                Path(folder).mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(Path(folder) / f"{name}.lock"))
        yield


@contextmanager
def _no_collection() -> Iterator[None]:
    """A compiler makes millions of objects and no garbage that hurts: looking for it takes a seventh of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Inner(CPUDispatcher):  # type: ignore[misc]
    """A function for other kernels. Where Python calls it, as tests do, `alone` compiles it whole."""

    alone: Callable[[Any], Any]

    def add_overload(self, cres: Any) -> None:
        """Known to other kernels; numba's own would let Python jump to the machine code."""
        self.overloads[tuple(cres.signature.args)] = cres

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.alone(self.py_func)(*args, **kwargs)


def outer(function: Callable[..., Any], options: dict[str, Any]) -> Outer:
    """A function that is optimised whole. `compiled` keeps it on disk."""
    return Outer(function, targetoptions=options)


def inner(
    function: Callable[..., Any], alone: Callable[[Any], Any], options: dict[str, Any], apart: bool = False
) -> Inner:
    """`alone` makes a function that Python may call; it is asked at each call. `apart`: never inlined."""
    no_wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    pipeline = ApartCompiler if apart else PartCompiler
    dispatcher = Inner(function, targetoptions=options | no_wrappers, pipeline_class=pipeline)
    dispatcher.alone = alone
    return dispatcher
