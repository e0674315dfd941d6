"""Recurrent layers of Keras files: ``.keras``, ``.weights.h5``, and the ``.h5`` of models or of weights that older versions wrote.

Each layer of the model is a module of its own, under its name; a Bidirectional is one module of two directions, a stack of cells
one of several layers. Keras is not needed, h5py is; nothing of a configuration is executed or made into an object. What a file does
not say, the functions of its layers where it holds weights alone, is taken as Keras has it by default, and a note says so.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from ..support.checks import path_of, shown
from .contents import Asked, Contents, Found
from .file_formats import file_format
from .hdf5 import LARGEST_RATIO, ArrayFile, opened
from .keras_config import CellPlan, layer_plans
from .keras_weights import GATES, CellArrays, kind_by_shapes, problem_of, tensors
from .layers import RecurrentWeights
from .layouts import variant

__all__ = ["contents", "knows"]

_WEIGHTS, _CONFIG, _METADATA = "model.weights.h5", "config.json", "metadata.json"
#: The longest configuration, bytes.
_LONGEST_CONFIG = 50_000_000
#: Where the layers of a model are in files of Keras 3, and of its forerunner in Keras 2.12 to 2.15.
_LAYERS, _OLDER_LAYERS = "layers", "_layer_checkpoint_dependencies"
#: Parts of paths between a layer and the group of its weights.
_INNER = re.compile(r"(/(?P<way>forward|backward)_layer)?(/layer)?(?P<cell>/cell(/cells/[^/]+)?)?$")
_SPLIT = re.compile(r"(?P<stem>.*)_(?P<what>[WUb])_(?P<gate>[a-z])$")
#: Gates of the oldest versions in the order of the newer ones.
_OLD_GATES = {"zrh": ("z", "r", "h"), "ifco": ("i", "f", "c", "o")}
#: Classes by the beginnings of names in paths.
_BY_NAME = (("gru", "GRU"), ("cu_dnngru", "GRU"), ("lstm", "LSTM"), ("cu_dnnlstm", "LSTM"), ("simple_rnn", "RNN"))


def knows(source: Any) -> bool:
    """Whether the source is a file of Keras: a ``.keras`` archive, or an HDF5 file.

    Parameters
    ----------
    source : anything
    """
    if not isinstance(source, (str, PathLike)):
        return False
    path = path_of("source", source)
    return path.is_file() and file_format(path) in ("keras", "hdf5")


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent layers of a Keras file, the embeddings beside them.

    Parameters
    ----------
    source : path of a file
    asked : Asked
        ``kind`` may name the functions of layers in a file of weights alone: "LSTM (gates hard_sigmoid 0.2)".

    Raises
    ------
    ImportError
        h5py is missing
    ValueError
        the file is damaged, claims more than it holds, or is none of Keras
    """
    path = path_of("source", source)
    model = _model_of(path)
    with opened(model.weights(), path.name) as file:
        if model.config is None:
            model = _with_config_of(file, model)
        listed, embeddings = _Listing(file, model).modules()
        modules = {name: _found(name, cells, model, file, asked) for name, cells in listed.items()}
        tables = {name: file.arrays[array].shape for name, array in embeddings.items()}
        if not modules and not tables and not _is_kerass(file):
            held = ", ".join(list(file.arrays)[:4]) or "none"
            raise ValueError(f"{path.name} is an HDF5 file, not one that Keras wrote: it has no layers; its arrays are {held}")
    return Contents(path.name, model.words, modules, {name: (s[0], s[1]) for name, s in tables.items()})


# --- the file


@dataclass(frozen=True)
class _Model:
    """A Keras file: where its weights are, and what it says of itself."""

    path: Path
    archive: bool
    config: Any
    version: str

    @property
    def words(self):
        version = f" {self.version}" if self.version else ""
        return f"Keras{version} " + ("model" if self.config is not None else "weights")

    def weights(self):
        """The path of the HDF5 file, or its content where it is in an archive."""
        return _member(self.path, _WEIGHTS, self.path.stat().st_size * LARGEST_RATIO) if self.archive else self.path


def _model_of(path):
    if file_format(path) != "keras":
        return _Model(path, False, None, "")
    about = _parsed(path, _METADATA, optional=True)
    version = about.get("keras_version") if isinstance(about, Mapping) else None
    return _Model(path, True, _parsed(path, _CONFIG), version if isinstance(version, str) else "")


def _member(path, name, largest):
    """The content of a member of an archive, no longer than ``largest``."""
    try:
        with zipfile.ZipFile(path) as archive:
            if name not in archive.namelist():
                held = ", ".join(map(shown, archive.namelist()[:4]))
                raise ValueError(f"{path.name} is a Keras model without {name}; it holds {held}")
            if archive.getinfo(name).file_size > largest:
                raise ValueError(f"{path.name}: {name} claims {archive.getinfo(name).file_size} bytes, more than {largest}")
            with archive.open(name) as file:
                content = file.read(largest + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path.name} is a damaged archive: {name}: {shown(str(error))}") from None
    if len(content) > largest:
        raise ValueError(f"{path.name}: {name} unpacks to more than {largest} bytes")
    return content


def _parsed(path, name, optional=False):
    size = min(LARGEST_RATIO * path.stat().st_size, _LONGEST_CONFIG)
    try:
        return _json(_member(path, name, size), f"{path.name}: {name}")
    except ValueError:
        if optional:
            return None
        raise


def _json(text, where):
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"{where} is nested too deeply for a configuration") from None
    except ValueError as error:  # of text that is none, too
        raise ValueError(f"{where} is no JSON text: {shown(str(error))}") from None


def _with_config_of(file, model):
    """The model with what the attributes of its HDF5 file say."""
    about = dict(file.attributes())
    root = "model_weights" if "model_weights" in file.groups else ""
    about = {**file.attributes(root), **about}
    text, version = about.get("model_config"), about.get("keras_version")
    config = _json(text, f"{model.path.name}: model_config") if isinstance(text, str) else None
    return replace(model, config=config, version=version if isinstance(version, str) else "")


def _is_kerass(file):
    marks = {"keras_version", "backend", "layer_names", "model_config", "layer_names0"}
    return bool(marks & set(file.attributes())) or {_LAYERS, _OLDER_LAYERS, "vars", "model_weights"} & set(file.groups)


# --- the cells of the file


@dataclass(frozen=True)
class _Cell:
    """One cell: what the configuration says of it, its arrays, or why there are none; ``sure`` where its functions are known."""

    plan: CellPlan
    arrays: CellArrays | None
    sure: bool


class _Listing:
    """The modules of a file: {name: cells}, and {name: array} of embeddings."""

    def __init__(self, file: ArrayFile, model: _Model) -> None:
        self.file, self.model = file, model
        self.shapes = {name: stored.shape for name, stored in file.arrays.items()}
        self.plans = [] if model.config is None else layer_plans(model.config, model.version)
        self.root = "model_weights" if "model_weights" in file.groups else ""

    def modules(self):
        names = _joined(self.file.attributes(self.root), "layer_names")
        cells, embeddings = self._legacy(names) if names is not None else self._by_path()
        return _apart(cells), embeddings

    # --- files of Keras 3: a path for each layer

    def _by_path(self):
        cells: dict[str, list[_Cell]] = {}
        embeddings, taken = {}, set()
        for plan in self.plans:
            own = plan.name.rsplit("/", 1)[-1]
            at = self._place(plan.path, own)
            for cell in plan.cells:
                place = at + cell.path[len(plan.path) :]
                arrays = self._arrays(f"{place}/vars")
                taken.add(place)
                cells.setdefault(plan.name, []).append(_Cell(cell, arrays, True))
            if plan.class_name == "Embedding" and len(self.shapes.get(f"{at}/vars/0", ())) == 2:
                embeddings[plan.name] = f"{at}/vars/0"
        foreign = {
            self._place(p.path, p.name.rsplit("/", 1)[-1]): p for p in self.plans if not p.cells and p.class_name != "Embedding"
        }
        for path in self.file.groups:
            if path.endswith("/vars") and path[:-5] not in taken:
                self._by_shapes(path[:-5], foreign, cells)
        if not self.plans:
            for path, shape in self.shapes.items():
                match = re.search(r"(^|/)([^/]*embedding[^/]*)/vars/0$", path)
                if match and len(shape) == 2:
                    embeddings[self._name(path[: -len("/vars/0")])] = path
        return cells, embeddings

    def _place(self, path, own):
        """The group of a layer: where its class and its order say, unless its name there is another's."""
        if _OLDER_LAYERS in self.file.groups:
            path = re.sub(rf"(^|/){_LAYERS}/", rf"\1{_OLDER_LAYERS}/", path)
        said = self._said_name(path)
        if said is None or said == own:
            return path
        folder = path.rsplit("/", 1)[0]
        beside = [f"{folder}/{name}" for name in self.file.groups.get(folder, ())]
        return next((place for place in beside if self._said_name(place) == own), path)

    def _said_name(self, path):
        name = self.file.attributes(f"{path}/vars").get("name") if f"{path}/vars" in self.file.groups else None
        return name if isinstance(name, str) and name else None

    def _arrays(self, group):
        names = [f"{group}/{i}" for i in range(3)]
        if any(name not in self.shapes for name in names[:2]):
            return None
        return CellArrays(*((name,) if name in self.shapes else () for name in names), self.shapes)

    def _by_shapes(self, path, foreign, cells):
        """A cell that no configuration names, by the shapes of its arrays and the names around it."""
        arrays, match = self._arrays(f"{path}/vars"), _INNER.search(path)
        owner = path[: match.start()]
        named = _class_by_name(owner.rsplit("/", 1)[-1])
        if arrays is None or not (match["cell"] or named):
            return
        kind = kind_by_shapes(arrays)
        if kind is None or (named is not None and not kind.startswith(named)):
            kind, problem = named or "a recurrent cell", "its arrays are not those of a cell that is read here"
            problem = problem_of(named, arrays) if named else problem
        else:
            problem = ""
        other = next((plan for place, plan in foreign.items() if f"{owner}/".startswith(f"{place}/")), None)
        if other is not None:
            kind, problem = other.class_name, f"{other.class_name} is a class of another package: its equations are not known here"
        name, found = self._name(owner), cells.get(self._name(owner), [])
        way = "reverse" if match["way"] == "backward" else "forward"
        layer = sum(cell.plan.direction == way for cell in found)
        cells[name] = [*found, _Cell(CellPlan(layer, way, path, kind, problem=problem), arrays, False)]

    def _name(self, path):
        """The name of a layer by those that the groups on its way have, and by their own."""
        parts, out = path.split("/"), []
        for i, part in enumerate(parts):
            if part not in (_LAYERS, _OLDER_LAYERS):
                out.append(self._said_name("/".join(parts[: i + 1])) or part)
        return "/".join(out)

    # --- older files: a list of arrays for each layer

    def _legacy(self, names):
        cells: dict[str, list[_Cell]] = {}
        embeddings = {}
        for top in names:
            group = f"{self.root}/{top}".lstrip("/")
            if group not in self.file.groups:
                continue
            arrays = [f"{group}/{name}" for name in _joined(self.file.attributes(group), "weight_names") or ()]
            found = _cells_among([name for name in arrays if name in self.shapes], self.shapes)
            planned = [plan for plan in self.plans if plan.top == top]
            if self.plans:
                self._planned(planned, found, cells)
            else:
                for cell in found:
                    self._unplanned(top, cell, cells)
            tables = [a for a in arrays if re.search(r"(embeddings|_W)(:\d+)?$", a) and len(self.shapes.get(a, ())) == 2]
            called = [plan.name for plan in planned if plan.class_name == "Embedding"]
            if self.plans or any(a.rsplit("/", 1)[-1].startswith("embeddings") for a in tables):
                embeddings.update(zip(called if self.plans else [top], tables))
        return cells, embeddings

    def _planned(self, plans, found, cells):
        wanted = [(plan, cell) for plan in plans for cell in plan.cells]
        for k, (plan, cell) in enumerate(wanted):
            if len(found) != len(wanted) and not cell.problem:
                cell = replace(cell, problem=f"the file has weights of {len(found)} recurrent cells where {len(wanted)} belong")
            cells.setdefault(plan.name, []).append(_Cell(cell, found[k] if k < len(found) else None, True))

    def _unplanned(self, top, arrays, cells):
        kind, found = kind_by_shapes(arrays), cells.get(top, [])
        problem = "" if kind else problem_of("LSTM" if "lstm" in arrays.kernel[0].lower() else "GRU", arrays)
        way = "reverse" if re.search(r"(^|/)backward_", arrays.kernel[0]) else "forward"
        layer = sum(cell.plan.direction == way for cell in found)
        plan = CellPlan(layer, way, "", kind or "a recurrent cell", problem=problem)
        cells[top] = [*found, _Cell(plan, arrays, False)]


def _joined(attributes, name):
    """A list of texts that may be cut in pieces, name0, name1, ...; None where there is none."""
    whole = attributes.get(name)
    if isinstance(whole, list):
        return whole
    pieces = []
    while isinstance(attributes.get(f"{name}{len(pieces)}"), list):
        pieces.append(attributes[f"{name}{len(pieces)}"])
    return [text for piece in pieces for text in piece] if pieces else None


def _cells_among(names, shapes):
    """Cells among the arrays of a layer, in their order."""
    cells, i = [], 0
    last = [re.sub(r":\d+$", "", name).rsplit("/", 1)[-1] for name in names]
    while i < len(names):
        if last[i] == "kernel" and last[i + 1 : i + 2] == ["recurrent_kernel"]:
            size = 3 if last[i + 2 : i + 3] == ["bias"] else 2
            cells.append(CellArrays(names[i : i + 1], names[i + 1 : i + 2], tuple(names[i + 2 : i + size]), shapes))
        elif last[i].endswith("_W") and last[i + 1 : i + 2] == [f"{last[i][:-1]}U"]:
            size = 3 if last[i + 2 : i + 3] == [f"{last[i][:-1]}b"] else 2
            cells.append(CellArrays(names[i : i + 1], names[i + 1 : i + 2], tuple(names[i + 2 : i + size]), shapes))
        else:
            size, cell = _split(names[i:], last[i:], shapes)
            cells += [cell] if cell else []
        i += size
    return cells


def _split(names, last, shapes):
    """(how many arrays, the cell) that begins here in files of the oldest versions: an array for each gate; (1, None) for none."""
    first = _SPLIT.match(last[0])
    if first is None:
        return 1, None
    own = {}
    for name, text in zip(names, last):
        match = _SPLIT.match(text)
        if match is None or match["stem"] != first["stem"] or (match["what"], match["gate"]) in own:
            break
        own[match["what"], match["gate"]] = name
    for gates in _OLD_GATES.values():
        groups = [tuple(own[what, gate] for gate in gates if (what, gate) in own) for what in "WUb"]
        if [len(group) for group in groups] == 3 * [len(gates)] and len(own) == 3 * len(gates):
            return len(own), CellArrays(*groups, shapes)
    return 1, None


def _in_order(path):
    """A key that puts gru_2 before gru_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _class_by_name(name):
    return next((kind for start, kind in _BY_NAME if name.startswith(start)), None)


# --- what was found


def _apart(cells):
    """The modules, those apart whose cells are of several kinds: they have no kind together."""
    out = {}
    for name, several in cells.items():
        places = [(cell.plan.layer, cell.plan.direction) for cell in several]
        kinds = {(cell.plan.kind, bool(cell.plan.problem)) for cell in several}
        if len(kinds) == 1 and len(set(places)) == len(places) and (0, "forward") in places:
            out[name] = several
            continue
        for k, cell in enumerate(several):
            note = "it runs from the end of its input: give it sequences reversed" if cell.plan.direction == "reverse" else ""
            alone = replace(cell, plan=replace(cell.plan, layer=0, direction="forward", note=note or cell.plan.note))
            label = cell.plan.path.rsplit("/", 1)[-1] if "/cells/" in cell.plan.path else str(k)
            out[f"{name}/{label}" if len(several) > 1 else name] = [alone]
    return out


def _found(name, cells, model, file, asked):
    """The Found of a module."""
    first = cells[0]
    kind, note, problem = _kind(first, model, asked)
    for cell in cells:
        problem = problem or cell.plan.problem or _missing(cell, file) or problem_of(_base(kind), cell.arrays, cell.plan.units)
    arrays = first.arrays
    ways = tuple(way for way in ("forward", "reverse") if any(cell.plan.direction == way for cell in cells))
    n_layers = 1 + max(cell.plan.layer for cell in cells)
    batch_first = first.plan.batch_first if asked.batch_first is None else asked.batch_first
    sizes = (arrays.input_size, arrays.n_units) if arrays else (0, first.plan.units or 0)

    def load():
        source = f"{model.path.name}: {name}" if name else model.path.name
        with opened(model.weights(), model.path.name) as again:
            read = {(c.plan.layer, c.plan.direction): tensors(_base(kind), c.arrays, again.read) for c in cells}
        return RecurrentWeights(kind, source, read, batch_first)

    notes = "; ".join(text for text in (first.plan.note, note) if text)
    return Found(kind, n_layers, ways, *sizes, load, problem, notes)


def _missing(cell, file):
    if cell.arrays is None:
        return "its weights are not in the file"
    for name in (*cell.arrays.kernel, *cell.arrays.recurrent, *cell.arrays.bias):
        if file.arrays[name].problem:
            return f"{name}: {file.arrays[name].problem}"
    return ""


def _base(kind):
    return kind.split(" (", 1)[0]


def _kind(cell, model, asked):
    """(kind, note, problem) of a cell, by what the file says and users ask for."""
    kind, note = cell.plan.kind, ""
    if cell.plan.problem or _base(kind) not in GATES:
        return kind, note, cell.plan.problem or f"{kind} is not read here"
    wanted = asked.kind if asked.kind is not None else variant("RNN", candidate=asked.nonlinearity) if asked.nonlinearity else None
    if not cell.sure:
        if wanted is not None and _base(wanted).split(" relu")[0] == _base(kind):
            return wanted, "", ""
        kind, note = _assumed(kind, cell, model)
    if wanted is not None and wanted not in (kind, _base(kind)) and not (wanted == "RNN" and kind == "RNN relu"):
        return kind, note, f"it is a {kind}, {wanted} was asked for"
    return kind, note, ""


def _assumed(kind, cell, model):
    """The functions that Keras gave layers of a kind by default when the file was written."""
    from .keras_weights import is_cudnn

    if cell.arrays is not None and is_cudnn(cell.arrays) and len(cell.arrays.shape(cell.arrays.bias)) == 1:
        return kind, "CuDNN's weights"
    parts = [int(part) for part in re.findall(r"\d+", model.version)[:2]]
    if kind != "RNN" and parts and parts < [2, 3] and "tf" not in model.version:
        return variant(kind, gates="hard_sigmoid 0.2"), "the file does not say its functions: Keras' own before version 2.3"
    if not cell.arrays.bias and kind == "GRU":
        return kind, "the file does not say its functions, nor whether it resets before the product: Keras' own are taken"
    return kind, "the file does not say its functions: Keras' own are taken"
