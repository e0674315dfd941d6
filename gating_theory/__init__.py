"""Mean-field and random-matrix theory of gated recurrent networks, derived from one symbolic definition of the cell.

    import gating_theory as gt
    ens = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    fps = gt.fixed_points(ens)
    sp = gt.Spectrum(fps[-1])
    sp.radius(), sp.slow_fraction(100)

Cells (gt.GRU, gt.LSTM, ...) and gt.sigma are imported on first use, because sympy takes its time.
"""

from .cell import Cell
from .chaos import ChaosOnset, chaos_onset, largest_exponent
from .complexity import Complexity, complexity
from .complexity_onset import complexity_onset
from .design import Design, design
from .diagnose import Diagnosis, diagnose
from .ensemble import Ensemble
from .enumeration import FixedPointCounts, count_fixed_points
from .errors import CapabilityError, ConvergenceError
from .fixed_point_search import NetworkFixedPoints
from .io import load, save
from .kac_rice import KacRice, kac_rice
from .lyapunov import LyapunovSpectrum, lyapunov_spectrum
from .mean_field import Critical, FixedPoint, fixed_points, fold, onset, tricritical
from .network import Network
from .phase_diagram import phase_diagram
from .simulation import Simulation, simulate
from .sites import Sites
from .spectrum import Spectrum
from .steady_state import SteadyState, steady_state
from .version import __version__

_CELLS = ("Vanilla", "GRU", "GRUResetAfter", "MGU", "LiGRU", "LiGRUTanh", "LSTM", "CoupledLSTM", "PeepholeLSTM", "JANET")

__all__ = [
    "CapabilityError",
    "Cell",
    "ChaosOnset",
    "Complexity",
    "ConvergenceError",
    "Critical",
    "Design",
    "Diagnosis",
    "Ensemble",
    "FixedPoint",
    "FixedPointCounts",
    "GRUFlow",
    "KacRice",
    "LyapunovSpectrum",
    "Network",
    "NetworkFixedPoints",
    "Simulation",
    "Sites",
    "Spectrum",
    "SteadyState",
    "__version__",
    "chaos_onset",
    "complexity",
    "complexity_onset",
    "count_fixed_points",
    "design",
    "diagnose",
    "fixed_points",
    "flow",
    "fold",
    "kac_rice",
    "largest_exponent",
    "load",
    "lyapunov_spectrum",
    "onset",
    "phase_diagram",
    "plotting",
    "save",
    "sigma",
    "simulate",
    "steady_state",
    "tricritical",
    *_CELLS,
]


def __getattr__(name):
    if name in _CELLS:
        from . import cells

        return getattr(cells, name)
    if name == "GRUFlow":
        from .flow import GRUFlow

        return GRUFlow
    if name == "sigma":
        from .derive import sigma

        return sigma
    if name in ("plotting", "flow"):
        from importlib import import_module

        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
