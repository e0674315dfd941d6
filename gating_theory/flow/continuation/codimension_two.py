"""Points of codimension two on curves of bifurcations: where they are told, what they are called, their normal forms.

Cusp, Bogdanov-Takens, Bautin, fold-Hopf and Hopf-Hopf points of the flow; strong resonances, generalized flips and Chenciner
points of the Euler map. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.), chapters 8 and 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...results.encoding import dict_of, require, result
from ..flow import require_fixed
from .defining import DefiningSystem, Frame, compound
from .normal_forms import normal_form
from .reduction import double_zero, on_focus, on_line

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["COEFFICIENT", "CONTINUED", "Codim2Point", "ENDS", "Here", "TESTS", "normal_form_of"]

#: Product of a critical pair of eigenvalues (distance of 2 cos(angle) from +-2) below which it does not turn.
_TURNING = 1e-9

#: An eigenvalue this close to 0, to the axis, or to the unit circle is critical at a point located to rounding.
_CRITICAL = 1e-5


@result("flow.Codim2Point")
@dataclass(frozen=True)
class Codim2Point:
    """A point of codimension two on a curve of bifurcations.

    Attributes
    ----------
    kind : str
        "cusp", "bogdanov_takens", "bautin", "fold_hopf", "hopf_hopf"; "degenerate_pitchfork" (its cubic coefficient vanishes),
        "degenerate_transcritical" (its quadratic one does); on curves of connecting orbits "neutral_saddle" (the saddle quantity
        vanishes: the cycle born changes its stability, a curve of cycle folds begins) and "saddle_node_loop" (the saddle meets
        another fixed point: beyond, on the curve of folds, cycles end in a saddle-node on them); "cycle_cusp" (three cycles meet,
        two curves of cycle folds end tangentially); of the Euler map
        "generalized_flip", "fold_flip", "chenciner", "resonance_1_1" to "resonance_1_4".
    paths : pair of str or Line
    values : (2,) array of the two parameters
    state : (dim,) array, the fixed point; of "cycle_cusp" a state on the cycle
    flow : Flow at these parameters
    step : float, of the Euler map
    coefficients : dict
        Of the normal form, with unit eigenvectors. cusp, degenerate_transcritical: "cubic"; degenerate_pitchfork: "quintic";
        bogdanov_takens: "a" >= 0 and "b" of dy/dt = a x^2 + b x y (none on curves of pitchforks, where both vanish); bautin:
        "second_lyapunov" (negative: the outer cycle is stable) and "frequency"; fold_hopf, hopf_hopf: frequencies. Else none.
    error : float, estimated, of the values

    See Also
    --------
    gating_theory.flow.continue_bifurcation : Finds them on curves.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> branch = gt.flow.continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.8586])
    >>> fold = branch.bifurcations[0]
    >>> paths, bounds = ("b_h[0]", "U_h[0,0]"), ((-1, 1), (1, 4))
    >>> curve = gt.flow.continue_bifurcation(fold, paths, bounds)
    >>> [(point.kind, round(float(point.values[1]), 6)) for point in curve.points]
    [('cusp', 2.0)]
    """

    kind: str
    paths: tuple[Path, Path]
    values: np.ndarray
    state: np.ndarray
    flow: Flow = field(repr=False)
    step: float
    coefficients: dict[str, float]
    error: float

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the state is no fixed point of the flow, or the kind is none."""
        require(self.kind in CONTINUED, f"unknown kind {self.kind!r}")
        if self.kind != "cycle_cusp":
            require_fixed(self.flow, self.state)

    def __str__(self) -> str:
        where = ", ".join(f"{path} = {value:.12g}" for path, value in zip(self.paths, self.values))
        text = f"{self.kind} at {where}, state ({', '.join(f'{x:.6g}' for x in self.state)}), error {self.error:.1g}"
        return text + "".join(f", {name} {value:.6g}" for name, value in self.coefficients.items())


#: Kinds of curves through each kind of point, that which is followed by default first.
CONTINUED = {
    "fold": ("fold",),
    "pitchfork": ("pitchfork", "transcritical", "fold"),
    "transcritical": ("transcritical", "fold"),
    "hopf": ("hopf",),
    "flip": ("flip",),
    "neimark_sacker": ("neimark_sacker",),
    "cusp": ("fold",),
    "bogdanov_takens": ("hopf", "fold", "pitchfork", "transcritical"),
    "bautin": ("hopf", "cycle_fold"),
    "fold_hopf": ("hopf", "fold", "pitchfork", "transcritical"),
    "hopf_hopf": (),
    "neutral_saddle": (),
    "cycle_cusp": (),
    "saddle_node_loop": ("fold",),
    "degenerate_pitchfork": ("pitchfork",),
    "degenerate_transcritical": ("transcritical",),
    "generalized_flip": ("flip",),
    "fold_flip": ("flip", "fold", "pitchfork", "transcritical"),
    "chenciner": ("neimark_sacker",),
    "resonance_1_1": ("neimark_sacker", "fold"),
    "resonance_1_2": ("neimark_sacker", "flip"),
    "resonance_1_3": ("neimark_sacker",),
    "resonance_1_4": ("neimark_sacker",),
}

#: Where curves of a kind end: what turned does not turn any more.
ENDS = {"hopf": ("bogdanov_takens",), "neimark_sacker": ("resonance_1_1", "resonance_1_2")}


class Here:
    """A point of a curve of bifurcations and what test functions ask of it."""

    def __init__(self, system: DefiningSystem, u: np.ndarray, before: Frame | None = None) -> None:
        self.system, self.u = system, u
        self.frame = system.frame(u, before)

    @cached_property
    def flow(self) -> Flow:
        """The flow at this point."""
        return self.system.at(self.u)

    @cached_property
    def state(self) -> np.ndarray:
        """The fixed point."""
        return self.system.state(self.u)

    @cached_property
    def jacobian(self) -> np.ndarray:
        """The flow's Jacobian."""
        return self.flow.jacobian(self.state)

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """(dim,) complex array, of the flow's Jacobian."""
        return np.linalg.eigvals(self.jacobian).astype(complex)

    @cached_property
    def left(self) -> np.ndarray:
        """The unit left null vector of the singular matrix."""
        left = self.frame.b / self.frame.sizes
        return left / np.linalg.norm(left)

    @property
    def right(self) -> np.ndarray:
        """The unit right null vector."""
        return self.frame.c

    def coefficient(self, kind: str) -> float:
        """The normal-form coefficient as a function on the curve; inf at a double eigenvalue or a resonance with another one."""
        try:
            return normal_form(self.flow, self.state, kind, self.system.step)
        except (np.linalg.LinAlgError, ValueError):
            return np.inf

    def quadratic(self) -> float:
        """Half the second derivative along the null vectors, both of unit length: changes its sign at a cusp."""
        second = self.system.expansion(self.u)[2][:, : len(self.state), : len(self.state)]
        return float(0.5 * self.left @ (second @ self.right) @ self.right)

    def turning(self) -> float:
        """Product of the critical pair of eigenvalues: squared frequency of a Hopf point, negative at a neutral saddle."""
        v = self.right
        return float(v @ compound(self.jacobian, self.jacobian) @ v) / 2.0

    def twice_cosine(self) -> float:
        """Sum of the critical pair of multipliers."""
        v, step = self.right, self.system.step
        return 2.0 + step * float(v @ compound(self.jacobian, np.eye(len(self.jacobian))) @ v)

    def others(self) -> np.ndarray:
        """Eigenvalues other than the critical one, or the critical pair."""
        values = self.eigenvalues
        if self.system.kind != "hopf":
            return np.delete(values, np.argmin(np.abs(values)))
        i, j = np.triu_indices(len(values), 1)
        pair = int(np.argmin(np.abs(values[i] + values[j])))
        return np.delete(values, [i[pair], j[pair]])


def _pair_sums(values):
    i, j = np.triu_indices(len(values), 1)
    return float(np.prod(values[i] + values[j]).real)


def _while_turning(kind):
    """A coefficient that means something only while the critical pair turns."""

    def test(here):
        room = here.turning() if kind == "hopf" else 2.0 - abs(here.twice_cosine())
        return here.coefficient(kind) if room > _TURNING else np.nan

    return test


def _double(here):
    return float(here.left @ here.right)


def _determinant(here):
    return float(np.prod(here.eigenvalues).real)


_DOUBLE_ZERO = {"bogdanov_takens": _double, "fold_hopf": lambda here: _pair_sums(here.others())}

#: Test functions on curves of each kind: a change of sign is a point of codimension two.
TESTS: dict[str, dict[str, Callable[[Here], float]]] = {
    "fold": {"cusp": Here.quadratic, **_DOUBLE_ZERO},
    "pitchfork": {"degenerate_pitchfork": lambda here: here.coefficient("pitchfork"), **_DOUBLE_ZERO},
    "transcritical": {"degenerate_transcritical": Here.quadratic, **_DOUBLE_ZERO},
    "hopf": {
        "bautin": _while_turning("hopf"),
        "bogdanov_takens": Here.turning,
        "fold_hopf": lambda here: float(np.prod(here.others()).real),
        "hopf_hopf": lambda here: _pair_sums(here.others()),
    },
    "flip": {"generalized_flip": lambda here: here.coefficient("flip"), "resonance_1_2": _double, "fold_flip": _determinant},
    "neimark_sacker": {
        "chenciner": _while_turning("neimark_sacker"),
        "resonance_1_1": lambda here: 2.0 - here.twice_cosine(),
        "resonance_1_2": lambda here: 2.0 + here.twice_cosine(),
        "resonance_1_3": lambda here: 1.0 + here.twice_cosine(),
        "resonance_1_4": Here.twice_cosine,
    },
}

#: The test function that is the coefficient of the curve.
COEFFICIENT = {kind: next(iter(tests)) for kind, tests in TESTS.items()}


def _frequencies(values):
    """Frequencies of the imaginary pairs."""
    return sorted(float(v.imag) for v in values if v.imag > _CRITICAL and abs(v.real) < _CRITICAL)


def normal_form_of(kind: str, here: Here) -> dict[str, float] | None:
    """Coefficients of a point of codimension two, by name; None where a test function vanished for another reason.

    Parameters
    ----------
    kind : str, of the point
    here : Here
    """
    flow, state = here.flow, here.state
    if kind in ("cusp", "degenerate_transcritical"):
        return {"cubic": float(on_line(flow, state, 3)[3])}
    if kind == "degenerate_pitchfork":
        return {"quintic": float(on_line(flow, state, 5)[5])}
    if kind == "bogdanov_takens" and here.system.kind != "pitchfork":
        return dict(zip("ab", double_zero(flow, state)))
    if kind == "bautin":
        omega, c = on_focus(flow, state, 2)
        return {"second_lyapunov": float(c[1].real) / omega, "frequency": omega}
    if kind in ("fold_hopf", "hopf_hopf"):
        found = _frequencies(here.eigenvalues)
        if len(found) < (1 if kind == "fold_hopf" else 2):
            return None  # real eigenvalues of opposite sign
        return {"frequency": found[0]} if kind == "fold_hopf" else {"frequency_1": found[0], "frequency_2": found[1]}
    return {}
