"""Compiled kernels that are called without their compiler: numba writes their machine code, later processes only load it.

numba takes longer to import than a radius to compute, and its own files are read by all of it. What a kernel needs in order to run
is less: its machine code, which LLVM links, and numba's memory management and conversions of arguments, three small libraries in C.
The machine code is kept in the user's cache directory, under a hash of all that it was made from. Where one of the parts is missing
numba's own function is called, with the same machine code.
"""

from __future__ import annotations

import builtins
import ctypes
import hashlib
import pickle
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, update_wrapper
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..version import __version__
from .kept import file_for, keep_value, read_value
from .machine_code import chapter_of, compiling, jit, one_at_a_time

__all__ = ["Kernel", "kernel", "load_library", "load_runtime"]

#: Of the flags of an array, what numba's types tell apart: contiguous in C's or Fortran's order, aligned, to be written to.
_C, _FORTRAN = 0x1, 0x2
_FLAGS = _C | _FORTRAN | 0x100 | 0x400

#: Numbers that kernels take; functions that are passed to them and the like are numba's business.
_NUMBERS = {
    t: name.__name__
    for name, also in ((bool, np.bool_), (int, np.int64), (float, np.float64), (complex, np.complex128))
    for t in (name, also)
}

#: Names that a text of LLVM uses and does not define.
_UNDEFINED = re.compile(r'^(?:declare\b[^@\n]*|(?=@[^\n]*= external))@"?([^"(\s]+)"?', re.MULTILINE)


#: Machine code stays where it is, and its constants with it: they are known by their addresses.
_linked: list[Any] = []


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorator: the function compiled by numba, called with arrays and numbers.

    It may call other kernels. What it takes from its module beside them are numbers.

    Parameters
    ----------
    **options : of ``numba.njit``, other than ``cache``

    Returns
    -------
    decorator
    """
    return lambda function: Kernel(function, options)


class Kernel:
    """A function of arrays and numbers; each set of their types is compiled once, and found by later processes.

    Parameters
    ----------
    function : a function of a module
    options : of ``numba.njit``
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self._function, self._file, self._options = function, function.__code__.co_filename, options
        self._calls: dict[tuple, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        # written out: this takes as long as a small kernel
        kinds = tuple(
            [(a.dtype, a.ndim, a.flags.num & _FLAGS) if type(a) is np.ndarray else _NUMBERS.get(type(a)) for a in arguments]
        )
        try:
            call = self._calls[kinds]
        except KeyError:
            alike = _as_compiled(kinds)
            if alike not in self._calls:
                self._calls[alike] = self._found(alike, arguments)
            call = self._calls[kinds] = self._calls[alike]
        return call(*arguments)

    @cached_property
    def compiled(self) -> Any:
        """numba's function."""
        import numba

        _kernels_call_kernels()
        return numba.njit(**self._options)(self._function)

    @cached_property
    def within(self) -> Any:
        """numba's function as other compiled code calls it; from Python it must not be called.

        How Python and C would call it is code of its own, a fifth of what there is to compile.
        """
        import numba

        options: dict[str, Any] = {**self._options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        return numba.njit(**options)(self._function)

    @cached_property
    def _with_numba(self):
        """numba's function, its machine code kept by numba."""
        _kernels_call_kernels()
        return jit(**self._options)(self._function)

    @cached_property
    def origin(self) -> bytes:
        """All that the machine code depends on, beside the types of the arguments."""
        code = self._function.__code__
        parts = [_machine(), Path(self._file).read_bytes(), self._function.__qualname__.encode()]
        parts.append(repr([(k, sorted(v) if isinstance(v, set) else v) for k, v in sorted(self._options.items())]).encode())
        for name in sorted(code.co_names):
            value = self._function.__globals__.get(name)
            if isinstance(value, (bool, int, float, complex, str, tuple)):
                parts.append(f"{name} = {value!r}".encode())
            elif isinstance(value, Kernel) and value is not self:
                parts.append(value.origin)
        return hashlib.sha256(b"\0".join(parts)).digest()

    def _found(self, kinds, arguments):
        if None in kinds:
            return self._with_numba
        with one_at_a_time:
            try:
                made_from = self.origin + repr(kinds).encode()
                made = self._kept(made_from)
                if made is None:
                    with compiling(chapter_of(self._function), file_for(self._function.__qualname__, made_from)):
                        made = self._kept(made_from)  # whose turn it was may have left it
                        if made is None:
                            made = self._made(arguments)
                            keep_value(self._function.__qualname__, made_from, made)
                return _loaded(made, self._function) or self._with_numba
            except (OSError, ImportError, AttributeError):  # a function of no file, a numba that is built otherwise
                return self._with_numba

    def _kept(self, made_from):
        return read_value(self._function.__qualname__, made_from)

    def _made(self, arguments):
        import numba

        types = tuple(numba.typeof(a) for a in arguments)
        self.compiled.compile(types)
        result = self.compiled.overloads[types]
        _, _, (machine_code, _) = result.library.serialize_using_object_code()
        needed = tuple(sorted(set(_UNDEFINED.findall(result.library.get_llvm_str()))))
        names = result.fndesc.llvm_cpython_wrapper_name, result.fndesc.env_name
        return Made(machine_code, *names, tuple(result.environment.consts), tuple(n for n in needed if not n.startswith("llvm.")))


@dataclass(frozen=True)
class Made:
    """What is kept of a kernel.

    Attributes
    ----------
    machine_code : bytes, an object file
    entry, environment : str, names in it: of the function that Python calls, and of where its constants are looked for
    constants : tuple of objects that it returns or checks for
    needed : tuple of str, names that it does not define
    """

    machine_code: bytes
    entry: str
    environment: str
    constants: tuple[Any, ...]
    needed: tuple[str, ...]


def _as_compiled(kinds):
    """Kinds of arguments as numba tells them apart: a column or a row, in both orders at once, is in C's."""
    return tuple((kind[0], kind[1], kind[2] & ~_FORTRAN) if isinstance(kind, tuple) and kind[2] & _C else kind for kind in kinds)


def _kernels_call_kernels():
    """Tell numba that kernels that are named in compiled code stand for their functions."""
    from numba.extending import typeof_impl

    typeof_impl.register(Kernel)(lambda value, context: typeof_impl(value.within, context))


def _loaded(made, function):
    """The function in the machine code, as Python calls it; None where something that it needs is not there."""
    import llvmlite.binding as llvm

    dynamic = load_runtime()
    if dynamic is None:
        return None
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine(jit=True))
    if any(llvm.address_of_symbol(name) is None for name in made.needed):
        return None
    engine.add_object_file(llvm.ObjectFileRef.from_data(made.machine_code))
    engine.finalize_object()
    constants = dynamic.Environment(function.__globals__)
    constants.consts.extend(made.constants)
    ctypes.c_void_p.from_address(engine.get_global_value_address(made.environment)).value = id(constants)
    module = sys.modules[function.__module__]
    name, address = function.__name__, engine.get_function_address(made.entry)
    _linked.append((engine, constants))
    return dynamic.make_function(module, name, function.__doc__ or "", address, constants, ())


@lru_cache(maxsize=1)
def load_runtime() -> Any:
    """numba's libraries in C without the rest of it, made known to LLVM as numba itself does; None where they are not there."""
    import llvmlite.binding as llvm

    try:
        parts = [load_library(name) for name in ("core.runtime._nrt_python", "_helperlib", "_dynfunc")]
    except (ImportError, AttributeError):
        return None
    memory, helpers, dynamic = parts
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in memory.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    for library in (helpers, dynamic):
        for name, address in library.c_helpers.items():
            llvm.add_symbol(f"numba_{name}", address)
    llvm.add_symbol("_Py_NoneStruct", id(None))
    for value in vars(builtins).values():
        if isinstance(value, type) and issubclass(value, BaseException):
            llvm.add_symbol(f"PyExc_{value.__name__}", id(value))
    llvm.add_symbol("numba_unpickle", ctypes.cast(_unpickle, ctypes.c_void_p).value)
    return dynamic


@ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
@cache
def _unpickle(address, size, _digest):
    """A constant of machine code, such as the type of an array that it returns; numba's own function for this imports numba."""
    return pickle.loads(ctypes.string_at(address, size))


def load_library(name: str) -> ModuleType:
    """A library of numba in C; without numba, where that is not imported.

    Parameters
    ----------
    name : str, such as "core.runtime._nrt_python"
    """
    if "numba" in sys.modules:
        return import_module(f"numba.{name}")
    *folders, last = name.split(".")
    spec = PathFinder.find_spec(last, [str(_numba_folder().joinpath(*folders))])
    if spec is None or spec.loader is None:
        raise ImportError(name)
    library = module_from_spec(spec)
    spec.loader.exec_module(library)
    return library


def _numba_folder():
    spec = find_spec("numba")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("numba")
    return Path(spec.submodule_search_locations[0])


@lru_cache(maxsize=1)
def _machine():
    """The processor, and the versions of what compiles for it."""
    import llvmlite
    import llvmlite.binding as llvm

    processor = f"{platform.machine()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    versions = f"gating_theory {__version__}, llvmlite {llvmlite.__version__}, numpy {np.__version__}, Python {sys.version}"
    return f"{processor}, {versions}, ".encode() + (_numba_folder() / "_version.py").read_bytes()
