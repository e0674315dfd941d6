"""Ensembles whose averages over pairs close, also where units forget at different rates, or given the paths of one gate [T8b]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cell.constant_leak import ConstantLeak, constant_leak
from ...ensemble.ensemble import Ensemble
from .drives import Drives

__all__ = ["ClosedForm", "closed_form", "gated_form"]

#: Classes of sites: their spacing in standard deviations up to a spread of .6 (in inverse proportion beyond), and their reach.
#: High powers of a gate stay small within pi / 2 of the real axis, so that averages are off by e^(-pi^2 / (.5 * .6)) = 5e-15.
_SPACING, _WIDE, _REACH = 0.5, 0.6, 8.5


@dataclass(frozen=True)
class ClosedForm:
    """A form with constant leaks, one for each class of sites.

    Attributes
    ----------
    cell_form : ConstantLeak
    still : (J, K + P) array
        Biases and site parameters of each class: they differ in one that does not move and has a spread, such as the bias of an
        update gate; one class where nothing else than leaks closes.
    weights : (J,) array, which shares of the sites the classes are
    gate : int or None, the field of which each class has a path of its own, where averages close given such paths only
    """

    cell_form: ConstantLeak
    still: np.ndarray
    weights: np.ndarray
    gate: int | None = None

    @property
    def leaks(self) -> np.ndarray:
        """(J,) rates of the classes."""
        return np.broadcast_to(np.asarray(self.cell_form.leak(*self.still.T)[0], dtype=float), self.weights.shape)


def closed_form(ensemble: Ensemble, drives: Drives) -> ClosedForm | None:
    """The form of an ensemble whose averages over pairs close under these drives; None where they do not.

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
    """
    cell = ensemble.cell
    K = cell.n_fields
    driven = drives.std
    if driven[K:].any() or not cell.compiled.smooth:
        return None
    spread = np.concatenate([ensemble.array("bias_std"), ensemble.array("parameter_std")])
    moves = np.concatenate([ensemble.array("gain") + driven[:K] > 0.0, np.zeros(cell.n_parameters, dtype=bool)])
    scattered = {int(v) for v in np.flatnonzero(spread[K:]) + K}  # parameters enter functions as they are: each class has its own
    for held in [None, *np.flatnonzero((spread > 0.0) & ~moves).tolist()]:
        if scattered - {held}:
            continue
        fields = [name for k, name in enumerate(cell.field_names) if k != held and (moves[k] or spread[k] > 0.0)]
        form = constant_leak(cell, fields)
        if form is not None and (held is None or _apart(form, held)):
            return _of_classes(ensemble, form, held, 0.0 if held is None else float(spread[held]))
    return None


def gated_form(ensemble: Ensemble, drives: Drives, n_paths: int) -> ClosedForm | None:
    """The form of an ensemble whose averages over pairs close given the paths of one moving field, a gate; None without one.

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
    n_paths : int, J
    """
    cell = ensemble.cell
    driven = drives.std
    if ensemble.array("parameter_std").any() or driven[cell.n_fields :].any() or not cell.compiled.smooth:
        return None
    moves = ensemble.array("gain") + driven[: cell.n_fields] + ensemble.array("bias_std") > 0.0
    for gate in np.flatnonzero(moves).tolist():
        form = constant_leak(cell, [name for k, name in enumerate(cell.field_names) if k != gate and moves[k]])
        if form is not None and _apart(form, gate):
            return ClosedForm(form, _values(ensemble)[None], np.full(n_paths, 1.0 / n_paths), gate)
    return None


def _values(ensemble):
    """(K + P,) mean biases and site parameters."""
    return np.concatenate([ensemble.array("bias"), ensemble.array("parameter")])


def _apart(form, held):
    """Whether classes of sites differ in leaks and factors alone, so that they have all averages in common."""
    parts = [*form.drive, *(part for message in form.messages for part in message)]
    return not form.gaussian and not any(part.variables and held in part.held for part in parts)


def _of_classes(ensemble, form, held, spread):
    values = _values(ensemble)
    if held is None:
        return ClosedForm(form, values[None], np.ones(1))
    x = np.arange(-_REACH, _REACH, _SPACING * min(1.0, _WIDE / spread))
    weights = np.exp(-0.5 * x**2)
    still = np.repeat(values[None], x.size, axis=0)
    still[:, held] += spread * x
    return ClosedForm(form, still, weights / weights.sum())
