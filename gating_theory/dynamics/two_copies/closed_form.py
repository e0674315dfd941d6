"""Ensembles whose averages over pairs close, also where units forget at different rates that do not change [T8b]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...cell.constant_leak import ConstantLeak, constant_leak
from ...ensemble.ensemble import Ensemble
from .drives import Drives

__all__ = ["ClosedForm", "closed_form"]

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
    """

    cell_form: ConstantLeak
    still: np.ndarray
    weights: np.ndarray

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
    driven = np.sum([source.std for source in drives.sources], axis=0)
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


def _apart(form, held):
    """Whether classes of sites differ in leaks and factors alone, so that they have all averages in common."""
    parts = [*form.drive, *(part for message in form.messages for part in message)]
    return not form.gaussian and not any(part.variables and held in part.held for part in parts)


def _of_classes(ensemble, form, held, spread):
    values = np.concatenate([ensemble.array("bias"), ensemble.array("parameter")])
    if held is None:
        return ClosedForm(form, values[None], np.ones(1))
    x = np.arange(-_REACH, _REACH, _SPACING * min(1.0, _WIDE / spread))
    weights = np.exp(-0.5 * x**2)
    still = np.repeat(values[None], x.size, axis=0)
    still[:, held] += spread * x
    return ClosedForm(form, still, weights / weights.sum())
