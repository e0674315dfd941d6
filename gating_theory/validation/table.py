"""All rows of a validation: printed, as CSV, as a dict, drawn."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.encoding import plain, result
from ..results.provenance import provenance
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from ..support.checks import choice, path_of
from ..support.files import write_atomically
from .rows import HEAD, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Validation"]

_LEGEND = """
theory: infinite network (at a moving state: sites of other networks); at sites: theory at the sites of the measured networks;
sites, matrices: expected standard deviations of one network from either cause; within: how far measurement and theory may differ;
p: the probability that networks of the theory differ as much. A row agrees where p is at least {level:g}. Few sites: networks whose
edge fewer than ten sites make; they are compared with the limit by their sites alone.
"""


@result("validation")
@dataclass(frozen=True)
class Validation:
    """All rows of a validation, with the eigenvalues behind them. Printing it gives the table.

    Attributes
    ----------
    rows : tuple of Row
    clouds : dict, case name -> complex eigenvalues of the measured networks
    curves : dict, case name -> list of complex arrays, the boundary of the infinite network's spectrum
    notes : dict, case name -> why its rows are judged less sharply than others, and how; mostly empty
    level : float, the probability below which a row disagrees
    seed : the seed, or None

    See Also
    --------
    gating_theory.validate : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.Vanilla, gain=0.5)
    >>> result = gt.validate(ens, n_units=50, n_networks=2)
    >>> result.ok, result.cases
    (True, ('Vanilla zero state',))
    >>> row = result.rows[0]
    >>> row.quantity, round(row.theory, 4)
    ('radius', 0.5)
    """

    rows: tuple[Row, ...]
    clouds: dict[str, np.ndarray] = field(repr=False)
    curves: dict[str, list[np.ndarray]] = field(repr=False)
    notes: dict[str, str] = field(default_factory=dict, repr=False)
    level: float = 1e-4
    seed: int | None = None
    _spectra: dict[str, Spectrum] = field(default_factory=dict, repr=False, compare=False)

    def check(self) -> None:
        """ValueError where a row belongs to no cloud of eigenvalues."""
        for row in self.rows:
            choice("case", row.case, list(self.clouds))

    def __str__(self) -> str:
        return f"{self.status}\n\n{self.table()}"

    @property
    def ok(self) -> bool:
        """Whether no row disagrees."""
        return all(row.verdict.ok for row in self.rows)

    @property
    def status(self) -> Status:
        """How many rows agree, in one line; the code is "agree", or "disagree" if one of them does."""
        codes = [row.verdict.code for row in self.rows]
        text = f"{codes.count('agree')} of {len(codes)} comparisons agree"
        for code, words in (("disagree", "DISAGREE"), ("not_judged", "not judged")):
            text += f", {codes.count(code)} {words}" if code in codes else ""
        return Status("agree" if self.ok else "disagree", text, self.ok)

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases, in the order of the rows."""
        return tuple(dict.fromkeys(row.case for row in self.rows))

    def spectrum(self, case: str) -> Spectrum | None:
        """The Spectrum of a case's infinite network; None in one that was loaded or pickled, which holds its boundary only.

        Parameters
        ----------
        case : str, one of ``cases``

        Returns
        -------
        Spectrum or None

        Raises
        ------
        TypeError, ValueError
            no case of that name

        Examples
        --------
        >>> import gating_theory as gt
        >>> ens = gt.Ensemble(gt.Vanilla, gain=0.5)
        >>> result = gt.validate(ens, n_units=50, n_networks=2)
        >>> round(result.spectrum("Vanilla zero state").radius(), 6)
        0.5
        """
        return self._spectra.get(choice("case", case, self.cases))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: rows, status, provenance."""
        return {
            "kind": "validation",
            "status": str(self.status),
            "level": self.level,
            "notes": self.notes,
            "rows": [plain(row.record()) for row in self.rows],
            "provenance": provenance(seed=self.seed),
        }

    def to_csv(self, path: str | PathLike[str]) -> Path:
        """Write the rows as CSV, one line each under a line of names.

        Parameters
        ----------
        path : str or path-like; a file that exists is replaced

        Returns
        -------
        pathlib.Path, the file

        Raises
        ------
        TypeError, ValueError, OSError
            no path, one that cannot be written
        """
        out = StringIO()
        writer = csv.DictWriter(out, fieldnames=list(Row.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.record() for row in self.rows)
        file = path_of("path", path)
        write_atomically(file, lambda temporary: Path(temporary).write_text(out.getvalue(), encoding="utf-8"))
        return file

    def table(self) -> str:
        """The rows as an aligned text table, with a legend."""
        return "\n".join([*self._lines(), *_LEGEND.format(level=self.level).splitlines(), str(self.status)]).lstrip("\n") + "\n"

    def _lines(self) -> Iterator[str]:
        for case, rows in groupby(self.rows, lambda row: row.case):
            listed = list(rows)
            note = self.notes.get(case, "")
            yield from ("", f"{case}: {listed[0].n_networks} networks of {listed[0].n_units} units", *filter(None, [note]), HEAD)
            yield from map(str, listed)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Measurement against theory, row by row: how far means are from the infinite network, in expected standard deviations.

        Circles are what theory expects at the sites of the networks, with bars for what their matrices add; diamonds are measured.
        Rows that disagree have another colour. Where N units shift a mean, as at every edge, circle and diamond are both off zero.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure of one column's width, as tall as there are rows.

        Returns
        -------
        matplotlib Axes

        Examples
        --------
        >>> import gating_theory as gt
        >>> ens = gt.Ensemble(gt.Vanilla, gain=0.5)
        >>> result = gt.validate(ens, n_units=50, n_networks=2)
        >>> ax = result.plot()
        """
        from .pictures import draw_rows

        return draw_rows(self.rows, ax)

    def plot_spectrum(self, case: str, ax: Axes | None = None) -> Axes:
        """The eigenvalues of a case's networks, and the boundary of the infinite network's spectrum over them.

        Parameters
        ----------
        case : str, one of ``cases``
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            no case of that name
        """
        from .pictures import draw_eigenvalues

        choice("case", case, self.cases)
        return draw_eigenvalues(self.clouds[case], self.curves[case], ax)
