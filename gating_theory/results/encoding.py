"""Results as records that JSON can hold, and back to the last bit; nothing in a record is ever executed.

To make a class of your own saved, give it a name of its own::

    @result("my_result")
    @dataclass(frozen=True)
    class MyResult:
        ensemble: Ensemble
        values: np.ndarray
        _table: object = None               # begins with an underscore: not saved, made again where it is wanted

        def check(self):                    # optional: what a damaged file would violate
            require(self.values.ndim == 1, "values must be a vector")

That is all (``result`` is also ``gt.result``). The decorator makes it known to ``save``, ``load`` and journals, gives it an
``as_dict()`` for other programs (a type checker sees it where the class says ``as_dict = dict_of``) and lets it be pickled without
what it has cached. Where the class does not say otherwise its ``repr`` is one line, notebooks show its report (``__str__``), and
its objects are compared by content. A NamedTuple works alike. A class that is neither names the attributes that make it again:
``@result("network", fields=("ensemble", "matrices", "biases"))`` is one whose constructor takes arguments of these names, and
whose objects have attributes of these names. A subclass with the kind of its parent comes back as its parent.

A field may hold None, bool, int, float (nan and inf too), complex, str, numpy numbers and arrays of these, lists, tuples, dicts
with any keys, cells and other results. In a record

- what JSON has stands as it is, and so do dicts whose keys are strings;
- everything else is a dict whose first key begins with "$": ``{"$tuple": [1, 2]}``, ``{"$float": "nan"}``,
  ``{"$array": "float64", "shape": [2], "data": [0.5, 1.0]}``, ``{"$kind": "my_result", "ensemble": ..., "values": ...}``;
- a cell is its definition in words. Loading finds the cell by its name and compares the words.
"""

from __future__ import annotations

import copyreg
import math
import re
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from importlib import import_module
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..support.checks import shown, texts
from .display import brief, notebook_html, rounded, same, written
from .provenance import cell_text, json_ready, require_same_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Decorators return what they are given.
_T = TypeVar("_T")
_F = TypeVar("_F", bound="Callable[..., Any]")

__all__ = [
    "FAMILIES",
    "cell_class",
    "cell_finder",
    "decode",
    "dict_of",
    "encode",
    "fields_of",
    "is_cell",
    "is_result",
    "kind_of",
    "plain",
    "register",
    "require",
    "require_shapes",
    "result",
]


#: Classes of the face that belong to a part of the package which is brought by its own kinds only.
_SELDOM = ("GRUFlow",)

#: What classes are called whose kinds begin so, and which anybody can add to: {"law": "matrix law"} for "law.iid".
FAMILIES: dict[str, str] = {}

#: What has been registered: {kind: class}, {class: kind}, {class: names of the fields}, those of dataclasses since their first use.
_CLASSES: dict[str, type] = {}
_KINDS: dict[type, str] = {}
_FIELDS: dict[type, tuple[str, ...]] = {}

#: The class of cells, and how one is found by its name; set by the decorators below.
_cells: dict[str, Any] = {}

#: How names of the package's own modules begin.
_PACKAGE = f"{__name__.partition('.')[0]}."

#: Types of arrays, by numpy's letter; those of the first can be variables of a netCDF file.
_NUMBERS, _TEXT = "biufc", "U"
#: Long doubles differ from machine to machine.
_LARGEST_ITEM = {"f": 8, "c": 16}


# --- registration


def result(kind: str, *, fields: Sequence[str] | None = None) -> Callable[[type[_T]], type[_T]]:
    """Class decorator: objects of this class can be saved, as ``kind``.

    Parameters
    ----------
    kind : str
        A name that no other class has; those of a part of the package that is seldom used begin with its name, as "flow.Cycle".
    fields : sequence of str, optional
        Attributes that the class takes as arguments of the same names. Default: the fields of a dataclass or NamedTuple, those
        that begin with an underscore left out.

    Returns
    -------
    callable, which registers a class and returns it

    Raises
    ------
    ValueError
        another class has this kind
    TypeError
        A kind that is no name; when an object is saved, a class that is neither a dataclass nor a NamedTuple, if ``fields`` are not
        given. (The decorators may stand in either order.)

    See Also
    --------
    gating_theory.save : Writes objects of such a class.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import gating_theory as gt
    >>> @gt.result("count")
    ... @dataclass(frozen=True)
    ... class Count:
    ...     ensemble: gt.Ensemble
    ...     number: float
    >>> Count(gt.Ensemble(gt.GRU), 3.0).as_dict()["number"]
    3.0
    """

    if not isinstance(kind, str) or not kind:
        raise TypeError(f'kind must be a name, as in @result("my_kind"), got {shown(kind)}')
    if fields is not None:
        texts("fields", fields)

    def decorate(cls: type[_T]) -> type[_T]:
        if not cls.__module__.startswith(_PACKAGE):  # the package's own kinds are taken, also those not met yet
            _ask_the_face(kind.partition(".")[0] if "." in kind else "")
        return register(kind, cls, fields)

    return decorate


def register(kind: str, cls: type[_T], fields: Sequence[str] | None = None) -> type[_T]:
    """Make a class known under a kind; what it is made of is asked when it is first needed.

    Parameters
    ----------
    kind, fields : as for :func:`result`
    cls : type
    """
    other = _CLASSES.get(kind)
    if other is not None and other in cls.__mro__[1:]:
        _KINDS[cls] = kind
        _FIELDS[cls] = fields_of(other)
        return cls
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"kind {kind!r} is that of {other.__module__}.{other.__qualname__}")
    if fields is not None:
        _FIELDS[cls] = tuple(fields)
    _CLASSES[kind], _KINDS[cls] = cls, kind
    given: Any = cls
    if not hasattr(cls, "as_dict"):
        given.as_dict = dict_of
    if "__reduce__" not in vars(cls) and not issubclass(cls, tuple):
        given.__reduce__ = _reduce
    if not written(cls, "__repr__"):
        given.__repr__ = _line
    if not hasattr(cls, "_repr_html_"):
        given._repr_html_ = _html
    if not written(cls, "__eq__"):
        given.__eq__ = _equal
        if cls.__hash__ is not None:
            given.__hash__ = _hash
    return cls


def fields_of(cls: type) -> tuple[str, ...]:
    """Names of the fields of a registered class. Worked out on first use: a class may be registered before it is a dataclass."""
    if cls not in _FIELDS:
        _FIELDS[cls] = _names(cls)
    return _FIELDS[cls]


def _names(cls):
    if is_dataclass(cls):
        return tuple(f.name for f in dataclass_fields(cls) if f.init and not f.name.startswith("_"))
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return tuple(cls._fields)
    raise TypeError(f"{cls.__qualname__} is neither a dataclass nor a NamedTuple: name its fields=")


def cell_class(cls: type[_T]) -> type[_T]:
    """Class decorator of Cell: its objects are saved as their definition in words."""
    _cells["class"] = cls
    return cls


def cell_finder(find: _F) -> _F:
    """Decorator of ``find(name, cell)``: the built-in cell of this name, or ``cell`` where it has this name; else ValueError."""
    _cells["find"] = find
    return find


def require(condition: object, message: str) -> None:
    """ValueError with this message unless the condition holds: for the ``check`` of a result."""
    if not condition:
        raise ValueError(message)


def require_shapes(owner: object, shapes: dict[str, tuple[int, ...]]) -> None:
    """ValueError unless the arrays of these names have these shapes: for the ``check`` of a result."""
    for name, shape in shapes.items():
        require(np.shape(getattr(owner, name)) == shape, f"{name} must have shape {shape}, got {np.shape(getattr(owner, name))}")


def is_cell(value: Any) -> bool:
    """Whether ``value`` is a Cell."""
    return isinstance(value, _cells.get("class", ()))


def is_result(value: Any) -> bool:
    """Whether ``value`` is of a class that has been registered."""
    return type(value) in _KINDS


def kind_of(value: object) -> str:
    """The kind under which the class of ``value`` has been registered; KeyError where it has not."""
    return _KINDS[type(value)]


# --- what the decorator gives a class


def _values(value):
    return {name: getattr(value, name) for name in fields_of(type(value))}


def dict_of(self: object) -> dict[str, Any]:
    """JSON-ready, for other programs: the kind and every field by name; arrays as lists, complex numbers as pairs.

    A status is its words, and has its code beside it ("status_code").
    """
    out = {"kind": kind_of(self)}
    for name, value in _values(self).items():
        out[name] = plain(value)
        if is_result(value) and kind_of(value) == "status":
            out[f"{name}_code"] = value.code
    return out


def _reduce(self):
    # what is cached may hold compiled functions, which no pickle takes
    if is_result(self):
        return _made, (_CLASSES[kind_of(self)], _values(self))
    # a subclass that was not registered: as Python does it by itself
    if hasattr(self, "__getnewargs_ex__"):
        return copyreg.__newobj_ex__, (type(self), *self.__getnewargs_ex__()), self.__getstate__()
    arguments = self.__getnewargs__() if hasattr(self, "__getnewargs__") else ()
    return copyreg.__newobj__, (type(self), *arguments), self.__getstate__()


def _made(cls, values):
    return cls(**values)


def _line(self):
    """One line: the first of the report where there is one, else the fields, those left out that a dataclass leaves out."""
    name = type(self).__name__
    if written(type(self), "__str__"):
        return brief(name, str(self))
    hidden = {f.name for f in dataclass_fields(self) if not f.repr} if is_dataclass(self) else ()
    return brief(name, ", ".join(f"{key}={rounded(value)}" for key, value in _content(self).items() if key not in hidden))


def _html(self):
    return notebook_html(kind_of(self), self)


def _equal(self, other):
    if type(self) is not type(other):
        return NotImplemented
    return self is other or same(_content(self), _content(other))


def _hash(self):
    return hash((type(self), *filter(_hashable, _content(self).values())))


def _hashable(value):
    """Whether equal values have equal hashes: nan's depends on where it stands in memory, arrays have none."""
    if type(value) is float:
        return not math.isnan(value)
    return type(value) in (str, int, bool) or is_result(value) and type(value).__hash__ is not None


def _content(value):
    """The fields; where nobody has said what they are, all there is."""
    try:
        return _values(value)
    except TypeError:
        return vars(value)


def plain(value: Any) -> Any:
    """``value`` as other programs read it from JSON, with less than :func:`decode` needs to make it again.

    Arrays and tuples become lists, complex numbers pairs, nan and inf strings, results what their ``as_dict`` says, a status its
    words, a cell its name; keys of dicts become strings, those of pairs joined by a space.
    """
    if is_cell(value):
        return value.name
    if is_result(value):
        return str(value) if kind_of(value) == "status" else value.as_dict()
    if isinstance(value, dict):
        return {" ".join(map(str, key)) if isinstance(key, tuple) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return json_ready(_pairs(value).tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, complex):
        return [json_ready(value.real), json_ready(value.imag)]
    return json_ready(value)


# --- records


def encode(value: object, arrays: dict[str, np.ndarray] | None = None) -> Any:
    """A record of ``value`` that JSON can hold and :func:`decode` reads.

    Parameters
    ----------
    value : anything that the docstring of this module lists
    arrays : dict, optional
        Takes the arrays of numbers, complex ones as pairs of real numbers along a last axis, under names made of their places,
        such as "sites.state"; the record then has these names only.

    Returns
    -------
    JSON-ready

    Raises
    ------
    TypeError
        something of another type
    ValueError
        cells that differ in one value
    """
    return _Encoder(arrays)(value, ())


def decode(record: Any, arrays: dict[str, np.ndarray] | None = None, cell: Any = None) -> Any:
    """What :func:`encode` made a record of, checked by the ``check`` of every result in it.

    Parameters
    ----------
    record : JSON-ready
    arrays : dict, optional, of the arrays that the record has names of
    cell : Cell, optional
        That of the record where it is not built in.

    Raises
    ------
    TypeError, ValueError, KeyError, AttributeError
        damaged, of another cell, or not what a calculation gives
    """
    return _Decoder({} if arrays is None else arrays, cell)(record)


class _Encoder:
    """One traversal: it remembers the cell, whose definition is written once."""

    def __init__(self, arrays):
        self.arrays, self.cell = arrays, None

    def __call__(self, value, place):
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if type(value) is complex:
            return {"$complex": json_ready(value.real), "imag": json_ready(value.imag)}
        if type(value) is list:
            return [self(item, (*place, i)) for i, item in enumerate(value)]
        if type(value) is tuple:
            return {"$tuple": [self(item, (*place, i)) for i, item in enumerate(value)]}
        if type(value) is dict:
            return self._mapping(value, place)
        if is_result(value):
            record = {"$kind": kind_of(value)}
            return record | {name: self(item, (*place, name)) for name, item in _values(value).items()}
        if is_cell(value):
            return self._words(value)
        if type(value) is np.ndarray:
            return self._array(value, place)
        if isinstance(value, np.generic) and _saved_type(value.dtype):
            return {"$number": _type_name(value.dtype), "data": json_ready(_pairs(np.array(value)).tolist())}
        where = "".join(f".{name}" for name in place)
        raise TypeError(f"result{where} is of type {type(value).__name__}, which is not saved")

    def _mapping(self, value, place):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self(item, (*place, key)) for key, item in value.items()}
        return {"$pairs": [[self(key, (*place, i)), self(item, (*place, i))] for i, (key, item) in enumerate(value.items())]}

    def _words(self, cell):
        if self.cell is None:
            self.cell = cell
            return {"$cell": cell_text(cell)}
        if cell is not self.cell and cell != self.cell:
            raise ValueError("result holds different cells: save them in one file a cell")
        return {"$cell": cell.name}

    def _array(self, value, place):
        if not _saved_type(value.dtype):
            where = "".join(f".{name}" for name in place)
            raise TypeError(f"result{where} is an array of {value.dtype}, which is not saved")
        # HDF5 has no half precision, and reads text back as another type
        if self.arrays is None or value.dtype.kind not in _NUMBERS or value.dtype.name == "float16":
            head = {"$array": _type_name(value.dtype), "shape": list(value.shape)}
            return head | {"data": json_ready(_pairs(value).tolist())}
        name = _free_name(".".join(map(str, place)), self.arrays)
        self.arrays[name] = _pairs(value)
        return {"$variable": name, "type": value.dtype.name}


def _saved_type(dtype):
    return dtype.kind in _NUMBERS + _TEXT and dtype.itemsize <= _LARGEST_ITEM.get(dtype.kind, math.inf)


def _type_name(dtype):
    return dtype.name if dtype.kind in _NUMBERS else f"U{dtype.itemsize // 4}"


def _pairs(array):
    """An array without complex numbers: they become pairs along a last axis."""
    return np.stack([array.real, array.imag], axis=-1) if array.dtype.kind == "c" else array


def _free_name(wanted, taken):
    """A name that netCDF takes, not used yet."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", wanted).strip("_.") or "array"
    name = name if name[0].isalpha() else f"item_{name}"
    names = chain([name], (f"{name}__{number}" for number in count(2)))
    return next(free for free in names if free not in taken)


class _Decoder:
    def __init__(self, arrays, cell):
        self.arrays, self.given, self.cell = arrays, cell, None

    def __call__(self, record):
        if isinstance(record, list):
            return [self(item) for item in record]
        if not isinstance(record, dict):
            return record
        tag = next(iter(record), "")
        if not tag.startswith("$"):
            return {key: self(item) for key, item in record.items()}
        if tag not in self._TAGS:
            raise ValueError(f"unknown entry {tag!r}")
        return self._TAGS[tag](self, *record.values()) if tag != "$kind" else self._result(**record)

    def _result(self, **record):
        kind, entries = record["$kind"], {name: item for name, item in record.items() if name != "$kind"}
        cls = _class_of(kind)
        names = fields_of(cls)
        if set(entries) != set(names):
            raise ValueError(f"a {kind} has the entries {sorted(names)}, got {sorted(entries)}")
        # in the order of the record, in which a cell's definition comes first
        made = cls(**{name: self(item) for name, item in entries.items()})
        if hasattr(made, "check"):
            made.check()
        return made

    def _words(self, words):
        if isinstance(words, dict):
            self.cell = _finder()(words["name"], self.given)
            require_same_cell(words, self.cell)
        elif self.cell is None or words != self.cell.name:
            raise ValueError(f"the cell {words!r} is not defined")
        return self.cell

    def _array(self, name, shape, data):
        dtype = _known_type(name)
        if dtype.kind == "c":
            return _joined(np.array(data, dtype=_part_type(dtype)).reshape(*shape, 2), dtype)
        return np.array(data, dtype=dtype).reshape(shape)

    def _variable(self, name, type_name):
        dtype, values = _known_type(type_name), self.arrays[name]
        values = _joined(values, dtype) if dtype.kind == "c" else values
        if values.dtype != dtype:
            raise ValueError(f"{name} must be of type {dtype}, got {values.dtype}")
        return values

    def _number(self, name, data):
        return self._array(name, (), data)[()]

    def _pairs(self, pairs):
        return {self(key): self(item) for key, item in pairs}

    #: What the entries of a tagged record, in their order, are put together by.
    _TAGS = {
        "$kind": _result,
        "$cell": _words,
        "$array": _array,
        "$variable": _variable,
        "$number": _number,
        "$pairs": _pairs,
        "$tuple": lambda self, items: tuple(self(items)),
        "$float": lambda self, text: float(text),
        "$complex": lambda self, real, imaginary: complex(float(real), float(imaginary)),
    }


def _class_of(kind):
    if not isinstance(kind, str):
        raise ValueError(f"unknown kind {kind!r}")
    family, _, name = kind.partition(".")
    if kind not in _CLASSES:
        _ask_the_face(family if name else "")
    if kind in _CLASSES:
        return _CLASSES[kind]
    if family in FAMILIES:
        known = ", ".join(k.partition(".")[2] for k in _CLASSES if k.startswith(f"{family}."))
        raise ValueError(f"{FAMILIES[family]} {name!r} is not defined here ({known} are): import the module that defines it")
    raise ValueError(
        f"unknown kind {kind!r}; known are {sorted(_CLASSES)}, and others once the modules that define them are imported"
    )


def _finder():
    if "find" not in _cells:
        _ask_the_face("")
    return _cells["find"]


def _ask_the_face(part):
    """Have the package bring all the classes that its face passes on, or those of one of its parts, so that they register.

    Names are imported when they are first used: a process that does nothing but load a file has met no class yet.
    """
    face = import_module(__name__.partition(".")[0])
    if part:
        face = getattr(face, part) if part in face.__all__ else None
    asked = getattr(face, "__asked__", {})
    before = set(asked)
    for name in getattr(face, "__all__", ()):
        # names in small letters are functions and parts of the package
        if name[0].isupper() and name not in _SELDOM:
            getattr(face, name)
    for name in set(asked) - before:  # the user did not ask for them
        del asked[name]
        vars(face).pop(name, None)


def _known_type(name):
    dtype = np.dtype(name) if isinstance(name, str) and re.fullmatch(r"U\d{1,9}|[a-z]+\d*", name) else None
    if dtype is None or not _saved_type(dtype):
        raise ValueError(f"unknown type of numbers {name!r}")
    return dtype


def _part_type(dtype):
    return np.dtype(f"f{dtype.itemsize // 2}")


def _joined(pairs, dtype):
    """Complex numbers of pairs, put side by side and not added: 1j * inf would be nan + inf j."""
    if pairs.shape[-1:] != (2,) or pairs.dtype != _part_type(dtype):
        raise ValueError(f"complex numbers must be pairs of {_part_type(dtype)}, got shape {pairs.shape} of {pairs.dtype}")
    return np.ascontiguousarray(pairs).view(dtype)[..., 0]
