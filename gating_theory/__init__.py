"""Mean-field and random-matrix theory of gated recurrent networks, derived from one symbolic definition of the cell.

    import gating_theory as gt
    ens = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    fps = gt.fixed_points(ens)
    sp = gt.Spectrum(fps[-1])
    sp.radius(), sp.slow_fraction(100)

Cells (gt.GRU, gt.LSTM, ...) and gt.sigma are imported on first use, because sympy takes its time.
"""

from typing import TYPE_CHECKING, Any

from .cell import BUILTIN
from .cell.cell import Cell
from .counting.complexity import Complexity, complexity
from .counting.kac_rice import KacRice, kac_rice
from .counting.onset import complexity_onset
from .dynamics.chaos import ChaosOnset, chaos_onset, largest_exponent
from .dynamics.simulation import Simulation, simulate
from .dynamics.steady_state import SteadyState, steady_state
from .ensemble.ensemble import Ensemble
from .ensemble.matrix_laws import IID, MatrixLaw
from .ensemble.sites import Sites
from .errors import CapabilityError, ConvergenceError, NoCriticalValue
from .mean_field.critical import Critical, fold, onset, tricritical
from .mean_field.fixed_points import FixedPoint, fixed_points
from .networks.enumeration import FixedPointCounts, count_fixed_points
from .networks.fixed_points import NetworkFixedPoints
from .networks.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from .networks.network import Network
from .results.encoding import HOMES, result
from .results.store import load, save
from .spectrum.spectrum import Spectrum
from .sweeps.phase_diagram import phase_diagram
from .sweeps.quantities import register_quantity
from .training.design import Design, design
from .training.diagnose import Diagnosis, diagnose
from .version import __version__

# what files hold and `import gating_theory` does not bring
HOMES.update({"flow": "gating_theory.flow", "cell": "gating_theory.cell.builtin"})

if TYPE_CHECKING:  # what __getattr__ brings on first use
    from . import flow as flow
    from . import plotting as plotting
    from .cell.builtin import GRU as GRU
    from .cell.builtin import JANET as JANET
    from .cell.builtin import LSTM as LSTM
    from .cell.builtin import MGU as MGU
    from .cell.builtin import CoupledLSTM as CoupledLSTM
    from .cell.builtin import GRUResetAfter as GRUResetAfter
    from .cell.builtin import LiGRU as LiGRU
    from .cell.builtin import LiGRUTanh as LiGRUTanh
    from .cell.builtin import PeepholeLSTM as PeepholeLSTM
    from .cell.builtin import Vanilla as Vanilla
    from .cell.symbolic import sigma as sigma
    from .flow import GRUFlow as GRUFlow

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
    "IID",
    "KacRice",
    "LyapunovSpectrum",
    "MatrixLaw",
    "Network",
    "NetworkFixedPoints",
    "NoCriticalValue",
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
    "register_quantity",
    "result",
    "save",
    "sigma",
    "simulate",
    "steady_state",
    "tricritical",
    *BUILTIN,
]


def __getattr__(name: str) -> Any:
    if name in BUILTIN:
        from .cell import builtin as cells

        return getattr(cells, name)
    if name == "GRUFlow":
        from .flow import GRUFlow

        return GRUFlow
    if name == "sigma":
        from .cell.symbolic import sigma

        return sigma
    if name in ("plotting", "flow"):
        from importlib import import_module

        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
