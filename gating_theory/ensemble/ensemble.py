"""An ensemble of random networks: a cell with its gains, biases, inputs, site parameters, and the laws of its matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ..cell.cell import Cell
from ..results.display import brief, rounded
from ..results.encoding import result
from ..support.checks import choice, instance, meant, real, shown, text
from . import given_singular_values, rotation_invariant, sparse, uniform  # noqa: F401  # laws are known by name once imported
from .hyperparameters import KINDS, LARGEST, Kind, tied
from .low_rank import LowRank
from .matrix_laws import FACTS, IID, LawError, MatrixLaw, Unknown, field_laws, law_of, require

__all__ = ["Ensemble"]

#: Tied hyperparameters are equal if they differ by less, relative to the larger of 1 and themselves.
_TIED = 1e-9
#: What depends on the random part of the matrices alone, and is known beside a low-rank part as well [T11].
_OF_RANDOM_PART = frozenset({"edge", "resolvent", "singular values"})
#: A value for every field or site parameter, or values by name.
Values = float | Mapping[str, float] | None


@result("ensemble", fields=("cell", *KINDS, "matrices", "low_rank"))
class Ensemble:
    """Random networks of one cell [T1]: U_k of a law with gain a_k, biases iid normal over sites; low-rank parts beside it [T11].

    Parameters
    ----------
    cell : Cell
    gain : float or mapping from field names, default 1
        a_k >= 0. A scalar applies to every field; names left out keep the default (here and below).
    bias : float or mapping, default 0
        Mean bias b_k of a field.
    bias_std : float or mapping, default 0
        beta_k >= 0, spread of the biases over sites (frozen).
    input_std : float or mapping, default 0
        >= 0, standard deviation of an iid normal input to each field: drawn anew at every step when a network runs,
        held fixed where a fixed point is spoken of.
    parameter, parameter_std : float or mapping, default 0
        Mean and spread over sites of the cell's site parameters (peephole weights and the like).
    parameter_input_std : float or mapping, default 0
        >= 0, standard deviation of an iid normal input to each site parameter, as ``input_std`` of fields: PyTorch's GRU reads the
        candidate's input there, outside the reset gate ("b_in" of GRUResetAfter).
    matrices : str, MatrixLaw, or mapping from field names to either, default "iid"
        Laws of the matrices: "iid" (entries normal with variance a_k^2 / N), "orthogonal" (one Haar matrix a field), "stack" (the
        fields' matrices are blocks of one isometry, as Keras draws them), "unknown" (given weights), a law such as
        ``gt.HaarStack()``, ``gt.Sparse(100)``, or one of your own. A gain a_k is the measured one: a_k^2 = (1/N) tr U_k U_k^T.
        What a calculator knows for iid matrices only it refuses for others (see ``gating_theory.ensemble.matrix_laws``).
    low_rank : LowRank or None, default None
        What is added to the random matrices, sum_r A_r B_r^T / N [T11]; gains are those of the random part alone. Known to
        ``fixed_points``, ``memory_onset``, ``Spectrum`` of their fixed points, ``Network.sample`` and what networks can do; other
        calculators refuse it.

    Raises
    ------
    TypeError, ValueError
        For unknown names, values that are not finite, negative gains or spreads, matrices that are no law, channels of no field.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}, bias={"z": 0.5})
    Ensemble(GRU, gain={'z': 2, 'r': 3, 'h': 6}, bias={'z': 0.5, 'r': 0, 'h': 0})
    """

    def __init__(
        self,
        cell: Cell,
        gain: Values = None,
        bias: Values = None,
        bias_std: Values = None,
        input_std: Values = None,
        parameter: Values = None,
        parameter_std: Values = None,
        parameter_input_std: Values = None,
        matrices: str | MatrixLaw | Mapping[str, str | MatrixLaw] = "iid",
        low_rank: LowRank | None = None,
    ) -> None:
        instance("cell", cell, Cell, "such as gating_theory.GRU")
        self._cell = cell
        given = {"gain": gain, "bias": bias, "bias_std": bias_std, "input_std": input_std}
        given |= {"parameter": parameter, "parameter_std": parameter_std, "parameter_input_std": parameter_input_std}
        self._values = {}
        for name, kind in KINDS.items():
            self._values[name] = _by_name(kind, given[name], cell.parameter_names if kind.of_sites else cell.field_names)
        self._matrices = field_laws(matrices, cell.field_names)
        self._low_rank = _low_rank(low_rank, cell.field_names)

    @property
    def cell(self) -> Cell:
        """The Cell."""
        return self._cell

    @property
    def matrices(self) -> dict[str, MatrixLaw]:
        """{field: law of its matrix}."""
        return dict(self._matrices)

    @property
    def low_rank(self) -> LowRank | None:
        """What is added to the random matrices, or None."""
        return self._low_rank

    @property
    def gain(self) -> dict[str, float]:
        """{field: a_k}."""
        return dict(self._values["gain"])

    @property
    def bias(self) -> dict[str, float]:
        """{field: b_k}."""
        return dict(self._values["bias"])

    @property
    def bias_std(self) -> dict[str, float]:
        """{field: beta_k}."""
        return dict(self._values["bias_std"])

    @property
    def input_std(self) -> dict[str, float]:
        """{field: input standard deviation}."""
        return dict(self._values["input_std"])

    @property
    def parameter(self) -> dict[str, float]:
        """{site parameter: mean}."""
        return dict(self._values["parameter"])

    @property
    def parameter_std(self) -> dict[str, float]:
        """{site parameter: spread}."""
        return dict(self._values["parameter_std"])

    @property
    def parameter_input_std(self) -> dict[str, float]:
        """{site parameter: input standard deviation}."""
        return dict(self._values["parameter_input_std"])

    @property
    def has_white_input(self) -> bool:
        """Whether fields or site parameters have an input that is drawn anew at every step."""
        return bool(self.array("input_std").any() or self.array("parameter_input_std").any())

    def array(self, kind: str) -> np.ndarray:
        """Values of one kind as a float array, (K,) in the order of the cell's fields or (P,) in that of its site parameters.

        ``kind`` is "gain", "bias", "bias_std", "input_std", "parameter", "parameter_std" or "parameter_input_std"; ValueError for
        anything else.
        """
        choice("kind", kind, KINDS)
        return np.array(list(self._values[kind].values()), dtype=float)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every hyperparameter by its path, such as "gain.h", in a fixed order."""
        return tuple(f"{kind}.{name}" for kind, values in self._values.items() for name in values)

    def value(self, path: str) -> float:
        """The value at a path such as "gain.h", "bias_std.r", "parameter.p_f", or of several: "gain", "gain.z=2*gain.r".

        Parameters
        ----------
        path : str
            One of ``paths``; a kind for all fields; hyperparameters that are tied, of which each part has the value.

        Returns
        -------
        float, nan where the parts differ (by more than 1e-9 of the larger of 1 and themselves)

        Raises
        ------
        ValueError
            no such hyperparameters
        """
        values = [self._one(each) / rate + 0.0 for each, rate in tied("path", path, self.paths).items()]
        first = values[0]
        return first if all(abs(v - first) <= _TIED * max(1.0, abs(first)) for v in values) else float("nan")

    def replace(self, values: Mapping[str, float]) -> Ensemble:
        """A new Ensemble with the values at the given paths changed: ``{"gain.h": 3.0, "bias_std": 1.0, "gain.z=gain.r": 2.0}``.

        Parameters
        ----------
        values : mapping from paths, as of :meth:`value`, to numbers

        Raises
        ------
        TypeError, ValueError
            as in Ensemble itself; no such hyperparameters; one that is set twice
        """
        new = object.__new__(type(self))
        new._cell, new._matrices, new._low_rank = self._cell, self._matrices, self._low_rank
        new._values = {kind: dict(v) for kind, v in self._values.items()}
        seen: set[str] = set()
        for path, value in instance("values", values, Mapping, "from paths to numbers").items():
            rates = tied("values", path, self.paths)
            for each, rate in rates.items():
                if each in seen:
                    raise ValueError(f"values sets {each} twice")
                seen.add(each)
                kind, _, name = each.partition(".")
                number = value if rate == 1.0 else real(f"values[{path!r}]", value) * rate + 0.0
                new._values[kind][name] = _number(KINDS[kind], f"{kind}[{name!r}]", number)
        return new

    def with_matrices(self, matrices: str | MatrixLaw | Mapping[str, str | MatrixLaw]) -> Ensemble:
        """The same ensemble with matrices of another law: what theory is to assume of given ones, for example.

        Parameters
        ----------
        matrices : as for Ensemble
        """
        return Ensemble(self._cell, **self._values, matrices=matrices, low_rank=self._low_rank)

    def with_low_rank(self, low_rank: LowRank | None) -> Ensemble:
        """The same ensemble with another low-rank part, or with none [T11].

        Parameters
        ----------
        low_rank : LowRank or None
        """
        return Ensemble(self._cell, **self._values, matrices=self._matrices, low_rank=low_rank)

    def assuming(self, matrices: str | MatrixLaw) -> Ensemble:
        """The same ensemble where this law is assumed of the matrices of which nothing is known; the others keep theirs.

        Parameters
        ----------
        matrices : a law or the name of one, as for Ensemble
        """
        assumed = law_of("matrices", matrices)
        laws = {name: assumed if isinstance(law, Unknown) else law for name, law in self._matrices.items()}
        return self.with_matrices(laws)

    def require(self, fact: str, calculator: str, instead: str) -> None:
        """LawError unless a fact of the theory holds for the laws of all matrices whose gain is not zero, and low-rank parts.

        Parameters
        ----------
        fact : str, a key of ``matrix_laws.FACTS``
        calculator : str, who asks
        instead : str, what can be used where it does not
        """
        choice("fact", fact, FACTS)
        text("calculator", calculator)
        text("instead", instead)
        if self._low_rank is not None and fact not in _OF_RANDOM_PART:
            raise LawError(
                f"{calculator} does not know low-rank parts of matrices [T11], and the ensemble has {self._low_rank!r}: use "
                "fixed_points, Spectrum of their fixed points, Network.sample and what networks can do; "
                "ensemble.with_low_rank(None) is the random part alone"
            )
        require(self._matrices, fact, calculator, instead, self._values["gain"].values())

    def _one(self, path: str) -> float:
        kind, _, name = path.partition(".")
        return self._values[kind][name]

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready description; the cell by its name, laws of matrices by theirs where they are not iid normal."""
        out = {"cell": self._cell.name, **{kind: dict(v) for kind, v in self._values.items() if v}}
        laws = {name: law.as_dict() for name, law in self._matrices.items() if law != IID()}
        out |= {"matrices": laws} if laws else {}
        return out if self._low_rank is None else out | {"low_rank": self._low_rank.as_dict()}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], cell: Cell | None = None) -> Self:
        """Rebuild an Ensemble from :meth:`as_dict`.

        Parameters
        ----------
        description : mapping, as from :meth:`as_dict`
        cell : Cell, optional
            Built-in cells are found by name; pass your own. Its name must be the one in ``description``.

        Raises
        ------
        TypeError, ValueError
            Not a description, unknown entries, an unknown or another cell, values that are not allowed.
        """
        if not isinstance(description, Mapping) or "cell" not in description:
            raise ValueError(f"description must be a mapping with a 'cell', got {shown(description)}")
        values = dict(description)
        name = values.pop("cell")
        from ..cell.builtin import named

        cell = named(name, cell)
        unknown = set(values) - {*KINDS, "matrices", "low_rank"}
        if unknown:
            raise ValueError(f"description has unknown entries {shown(sorted(unknown, key=str))}")
        if values.get("low_rank") is not None:
            values["low_rank"] = LowRank.from_dict(values["low_rank"])
        return cls(cell, **values)

    def _key(self) -> tuple:
        values = tuple((k, tuple(v.items())) for k, v in self._values.items())
        return self._cell, values, tuple(self._matrices.items()), self._low_rank

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ensemble) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        parts = [f"{kind}={_short(values)}" for kind, values in self._values.items() if kind == "gain" or any(values.values())]
        if any(law != IID() for law in self._matrices.values()):
            parts.append(f"matrices={_short(self._matrices)}")
        if self._low_rank is not None:
            parts.append(f"low_rank={self._low_rank!r}")
        return brief("Ensemble", ", ".join([self._cell.name, *parts]))

    def __str__(self) -> str:
        shown = [f"{kind}={values}" for kind, values in self._values.items() if kind in ("gain", "bias") or any(values.values())]
        if any(law != IID() for law in self._matrices.values()):
            shown.append(f"matrices={self._matrices}")
        if self._low_rank is not None:
            shown.append(f"low_rank={self._low_rank!r}")
        return f"Ensemble({self._cell.name}, {', '.join(shown)})"


def _short(values: Mapping[str, Any]) -> str:
    """Values by name: one where all are equal, as an ensemble takes it."""
    first, *others = values.values()
    return rounded(first if all(value == first for value in others) else dict(values), 4)


def _low_rank(given: LowRank | None, names: tuple[str, ...]) -> LowRank | None:
    if given is None:
        return None
    for name in instance("low_rank", given, LowRank).channels:
        if name not in names:
            raise ValueError(f"low_rank has a channel of the unknown field {name!r}{meant(name, names)}; fields are {list(names)}")
    return given


def _by_name(kind: Kind, value: Any, names: tuple[str, ...]) -> dict[str, float]:
    if value is None:
        return dict.fromkeys(names, kind.default)
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in names]
        if unknown:
            raise ValueError(
                f"{kind.name} has the unknown name {shown(unknown[0])}{meant(unknown[0], names)}; allowed are {list(names)}"
            )
        return {n: _number(kind, f"{kind.name}[{n!r}]", value.get(n, kind.default)) for n in names}
    return dict.fromkeys(names, _number(kind, kind.name, value))


def _number(kind: Kind, name: str, value: Any) -> float:
    if kind.instead and isinstance(value, float) and np.isposinf(value):
        raise ValueError(f"{name} must be finite, got inf; {kind.instead}")
    return real(name, value, low=-np.inf if kind.signed else 0.0, high=LARGEST)
