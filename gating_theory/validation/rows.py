"""One comparison as a row of a table: numbers, the probability of such a difference by chance, a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..results.display import brief
from ..results.encoding import result
from ..results.status import Status

__all__ = ["HEAD", "Row", "verdict_of"]

#: The columns of a table.
HEAD = f"  {'quantity':<32}{'theory':>9}{'at sites':>10}{'measured':>10}{'sites':>9}{'matrices':>10}{'within':>9}{'p':>9}  verdict"


def verdict_of(probability: float, level: float) -> Status:
    """The Status of one comparison: "agree", "disagree", which tables shout, or "not_judged" where there is no probability."""
    if np.isnan(probability):
        return Status("not_judged", "not judged")
    return Status("agree") if probability >= level else Status("disagree", "DISAGREE", ok=False)


@result("validation_row")
@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    case, quantity : str
    theory : float, of the infinite network (at a moving state: of sites of other networks)
    at_sites : float, what theory expects of N units with the sites of the measured networks, mean over them
    measured : float, mean over the networks
    n_units, n_networks : int
    spread_sites, spread_matrices : float
        Expected standard deviations of one network's value, from its sites and from its matrices given the sites.
    p_value : float
        The probability that networks of the theory differ as much from it; nan where nothing could be judged.
    verdict : Status
        Its code is "agree", "disagree", which is not ok, or "not_judged".
    reason : str
        What differs, and by how much; where it agrees, what was judged less sharply than elsewhere, and why. Mostly empty.
    tolerance : float or None
        How far the measured mean may be from what theory expects of N units; at the measured sites the comparison is sharper. None
        for edges, whose law is no Gaussian.
    """

    case: str
    quantity: str
    theory: float
    at_sites: float
    measured: float
    n_units: int
    n_networks: int
    spread_sites: float
    spread_matrices: float
    p_value: float
    verdict: Status
    reason: str = ""
    tolerance: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether theory and measurement agree."""
        return self.verdict.code == "agree"

    def record(self) -> dict[str, Any]:
        """The row as a flat dict for tables, with the verdict in words."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"verdict": str(self.verdict)}

    def __repr__(self) -> str:
        numbers = f"theory {self.theory:.4g}, measured {self.measured:.4g}, p {self.p_value:.2g}"
        return brief("Row", f"{self.quantity}: {numbers}: {self.verdict}")

    def __str__(self) -> str:
        numbers = f"{self.theory:>9.4f}{self.at_sites:>10.4f}{self.measured:>10.4f}{self.spread_sites:>9.4f}"
        numbers += f"{self.spread_matrices:>10.4f}"
        numbers += f"{'-':>9}" if self.tolerance is None else f"{self.tolerance:>9.4f}"
        why = f" ({self.reason})" if self.reason else ""
        return f"  {self.quantity:<32}{numbers}{self.p_value:>9.2g}  {self.verdict}{why}"
