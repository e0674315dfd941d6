"""Pictures of a validation: its rows, and eigenvalues under the boundary of theory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..plotting.spectra import draw_spectrum
from ..plotting.style import BLUE, VERMILLION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .rows import Row

__all__ = ["draw_eigenvalues", "draw_rows"]

#: Inches of a row.
_ROW = 0.16
#: Standard deviations beyond which a difference is drawn at the frame.
_FAR = 7.0
#: Standard deviations that are always shown on both sides.
_NEAR = 2.0


def draw_rows(rows: Sequence[Row], ax: Axes | None = None) -> Axes:
    """What ``Validation.plot`` draws.

    Parameters
    ----------
    rows : sequence of Row, those of a case side by side
    ax : matplotlib Axes, optional
    """
    cases = list(dict.fromkeys(row.case for row in rows))
    ax = axes_or_new(ax, 0.9 + _ROW * (len(rows) + 2 * len(cases)))
    ax.axvline(0.0, color="0.6", linewidth=0.8, zorder=1)
    y, labels = 0.0, []
    for case in cases:
        labels.append((y, case))
        for row in (row for row in rows if row.case == case):
            y += 1.0
            labels.append((y, row.quantity))
            _draw_row(ax, row, y)
        y += 1.0
    ax.set_yticks([at for at, _ in labels], [_plain(text) for _, text in labels], fontsize="xx-small")
    for (_, text), tick in zip(labels, ax.get_yticklabels()):
        tick.set_fontweight("bold" if text in cases else "normal")
    ax.set_ylim(y - 0.4, -0.6)
    reach = 1.05 * float(np.clip(np.nan_to_num(np.abs(ax.dataLim.intervalx)).max(), _NEAR, _FAR))
    ax.set_xlim(-reach, reach)
    ax.set_xlabel("off the limit (s.d.)")
    for marker, face, words in (("o", "none", "theory at the sites"), ("D", BLUE, "measured")):
        ax.plot([], [], color=BLUE, marker=marker, markerfacecolor=face, markersize=3.5, linestyle="none", label=words)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="x-small", frameon=False, borderaxespad=0.2)
    return ax


def _draw_row(ax, row, y):
    """Theory at the sites, with what matrices may add, and the measurement."""
    whole = np.hypot(row.spread_sites, row.spread_matrices) / np.sqrt(row.n_networks)
    if not whole > 0.0:
        return
    at_sites, measured = ((value - row.theory) / whole for value in (row.at_sites, row.measured))
    bar = row.spread_matrices / np.sqrt(row.n_networks) / whole
    colour = BLUE if row.verdict.ok else VERMILLION
    ax.errorbar(
        np.clip(at_sites, -_FAR, _FAR), y, xerr=bar, color=colour, marker="o", markerfacecolor="none", markersize=4.0, lw=0.8
    )
    ax.plot(np.clip(measured, -_FAR, _FAR), y, color=colour, marker="D", markersize=2.5, linestyle="none")


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
