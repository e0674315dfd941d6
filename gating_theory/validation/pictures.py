"""Pictures of a validation: its rows, and eigenvalues under the boundary of theory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..plotting.spectra import draw_spectrum
from ..plotting.style import BLUE, VERMILLION, axes_or_new
from .significance import reach

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .rows import Row

__all__ = ["draw_eigenvalues", "draw_rows"]

#: Inches of a row.
_ROW = 0.16


def draw_rows(rows: Sequence[Row], level: float, ax: Axes | None = None) -> Axes:
    """What ``Validation.plot`` draws.

    Parameters
    ----------
    rows : sequence of Row, those of a case side by side
    level : float, at which they were judged
    ax : matplotlib Axes, optional
    """
    cases = list(dict.fromkeys(row.case for row in rows))
    ax = axes_or_new(ax, 0.9 + _ROW * (len(rows) + 2 * len(cases)))
    limit = reach(level, 1.0)
    ax.axvspan(-limit, limit, color="0.92", zorder=0)
    ax.axvline(0.0, color="0.6", linewidth=0.8, zorder=1)
    y, labels = 0.0, []
    for case in cases:
        labels.append((y, case))
        for row in (row for row in rows if row.case == case):
            y += 1.0
            labels.append((y, row.quantity))
            _draw_row(ax, row, y, limit)
        y += 1.0
    ax.set_yticks([at for at, _ in labels], [_plain(text) for _, text in labels], fontsize="xx-small")
    for (_, text), tick in zip(labels, ax.get_yticklabels()):
        tick.set_fontweight("bold" if text in cases else "normal")
    ax.set_ylim(y - 0.4, -0.6)
    ax.set_xlim(-1.6 * limit, 1.6 * limit)
    ax.set_xlabel("measured - theory (standard deviations)")
    return ax


def _draw_row(ax, row, y, limit):
    """A dot where a Gaussian of the same probability would be, with its standard deviation; arrows for what is farther out."""
    far = 1.5 * limit
    away = min(far, reach(max(row.p_value, 1e-300), 1.0))
    x = np.copysign(away, row.measured - row.theory)
    colour = BLUE if row.agrees else VERMILLION
    marker = "o" if away < far else "<" if x < 0 else ">"
    ax.errorbar(x, y, xerr=1.0, color=colour, marker=marker, markersize=3.0, linewidth=0.8, zorder=3)


def _plain(text):
    """A name without what TeX would read in it."""
    return text.replace("$", r"\$")


def draw_eigenvalues(eigenvalues: np.ndarray, curves: list[np.ndarray], ax: Axes | None = None) -> Axes:
    """What ``Validation.plot_spectrum`` draws.

    Parameters
    ----------
    eigenvalues : complex array
    curves : list of complex arrays, boundaries
    ax : matplotlib Axes, optional
    """
    ax = axes_or_new(ax)
    draw_spectrum(ax, curves, eigenvalues)
    return ax
