"""An ensemble of random networks: a cell with its gains, biases, inputs and site parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cell.cell import Cell
from ..results.encoding import result
from ..support.checks import real

__all__ = ["Ensemble", "signed"]

_FIELD_KINDS = {"gain": 1.0, "bias": 0.0, "bias_std": 0.0, "input_std": 0.0}
_SITE_KINDS = {"parameter": 0.0, "parameter_std": 0.0}
#: Moments and quadrature grids overflow far beyond this; networks are in their binary-gate limit long before.
_LARGEST = 1e6
_NON_NEGATIVE = {"gain", "bias_std", "input_std", "parameter_std"}


def signed(path):
    """Whether the hyperparameter of this path may be negative: biases and means of site parameters; not gains and spreads.

    Parameters
    ----------
    path : str, such as "bias.z"
    """
    return path.partition(".")[0] not in _NON_NEGATIVE


@result("ensemble", fields=("cell", *_FIELD_KINDS, *_SITE_KINDS))
class Ensemble:
    """Random networks of one cell [T1]: U_k iid normal with variance gain_k^2 / N, biases iid normal over sites.

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

    Raises
    ------
    TypeError, ValueError
        For unknown names, values that are not finite, negative gains or spreads.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}, bias={"z": 0.5})
    Ensemble(GRU, gain={'z': 2.0, 'r': 3.0, 'h': 6.0}, bias={'z': 0.5, 'r': 0.0, 'h': 0.0})
    """

    def __init__(self, cell, gain=None, bias=None, bias_std=None, input_std=None, parameter=None, parameter_std=None):
        if not isinstance(cell, Cell):
            raise TypeError(f"cell must be a gating_theory.Cell, got {cell!r}")
        self._cell = cell
        given = {"gain": gain, "bias": bias, "bias_std": bias_std, "input_std": input_std}
        given |= {"parameter": parameter, "parameter_std": parameter_std}
        self._values = {}
        for kind, value in given.items():
            names = cell.field_names if kind in _FIELD_KINDS else cell.parameter_names
            default = {**_FIELD_KINDS, **_SITE_KINDS}[kind]
            self._values[kind] = _by_name(kind, value, names, default)

    @property
    def cell(self):
        """The Cell."""
        return self._cell

    gain = property(lambda self: dict(self._values["gain"]), doc="{field: a_k}.")
    bias = property(lambda self: dict(self._values["bias"]), doc="{field: b_k}.")
    bias_std = property(lambda self: dict(self._values["bias_std"]), doc="{field: beta_k}.")
    input_std = property(lambda self: dict(self._values["input_std"]), doc="{field: input standard deviation}.")
    parameter = property(lambda self: dict(self._values["parameter"]), doc="{site parameter: mean}.")
    parameter_std = property(lambda self: dict(self._values["parameter_std"]), doc="{site parameter: spread}.")

    def array(self, kind):
        """Values of one kind as a float array, (K,) in the order of the cell's fields or (P,) in that of its site parameters.

        ``kind`` is "gain", "bias", "bias_std", "input_std", "parameter" or "parameter_std"; KeyError for anything else.
        """
        return np.array(list(self._values[kind].values()), dtype=float)

    @property
    def frozen_variance(self):
        """(K,) variance of a field over sites at a fixed point that does not come from the recurrent matrix [T5]."""
        return self.array("bias_std") ** 2 + self.array("input_std") ** 2

    @property
    def paths(self):
        """Every hyperparameter by its path, such as "gain.h", in a fixed order."""
        return tuple(f"{kind}.{name}" for kind, values in self._values.items() for name in values)

    def value(self, path):
        """The value at a path such as "gain.h", "bias_std.r" or "parameter.p_f"; ValueError for one that is not in ``paths``."""
        kind, name = self._split(path)
        return self._values[kind][name]

    def replace(self, values):
        """A new Ensemble with the values at the given paths, ``{"gain.h": 3.0, ...}``, changed; errors as in Ensemble itself."""
        new = {kind: dict(v) for kind, v in self._values.items()}
        for path, value in values.items():
            kind, name = self._split(path)
            new[kind][name] = value
        return Ensemble(self._cell, **new)

    def _split(self, path):
        if isinstance(path, str):
            kind, _, name = path.partition(".")
            if kind in self._values and name in self._values[kind]:
                return kind, name
        raise ValueError(f"no hyperparameter {path!r}; allowed are {list(self.paths)}")

    def as_dict(self):
        """A JSON-ready description; the cell by its name."""
        return {"cell": self._cell.name, **{kind: dict(v) for kind, v in self._values.items() if v}}

    @classmethod
    def from_dict(cls, description, cell=None):
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
            raise ValueError(f"description must be a mapping with a 'cell', got {description!r}")
        values = dict(description)
        name = values.pop("cell")
        from ..cell.builtin import named

        cell = named(name, cell)
        unknown = set(values) - {*_FIELD_KINDS, *_SITE_KINDS}
        if unknown:
            raise ValueError(f"description has unknown entries {sorted(unknown)}")
        return cls(cell, **values)

    def __eq__(self, other):
        return isinstance(other, Ensemble) and self._cell == other._cell and self._values == other._values

    def __hash__(self):
        return hash((self._cell, tuple((k, tuple(v.items())) for k, v in self._values.items())))

    def __repr__(self):
        shown = [f"{kind}={values}" for kind, values in self._values.items() if kind in ("gain", "bias") or any(values.values())]
        return f"Ensemble({self._cell.name}, {', '.join(shown)})"


def _by_name(kind, value, names, default):
    low = 0.0 if kind in _NON_NEGATIVE else -np.inf
    if value is None:
        return dict.fromkeys(names, default)
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in names]
        if unknown:
            raise ValueError(f"{kind} has the unknown name {unknown[0]!r}; allowed are {list(names)}")
        return {n: real(f"{kind}[{n!r}]", value.get(n, default), low=low, high=_LARGEST) for n in names}
    number = real(kind, value, low=low, high=_LARGEST)
    return dict.fromkeys(names, number)
