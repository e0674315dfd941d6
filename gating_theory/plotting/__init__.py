"""Pictures of results: every function takes ``ax=`` and returns the Axes.

Every function draws into ``ax`` or into a new figure of one column's width. matplotlib is imported when something is drawn; no
function shows a window, saves a file or touches global settings.
"""

from .copies import plot_correlation_transient, plot_pair
from .counting import plot_complexity
from .eigenvalues_along import animate_eigenvalues, plot_eigenvalues_along
from .exponents import plot_finite_time_exponents, plot_lyapunov_spectrum
from .fixed_points import plot_fixed_points
from .gradients import plot_gradient_growth, plot_gradients_by_lag, plot_pseudospectrum, plot_singular_values
from .modes import plot_mode_shares, plot_modes
from .moving_states import plot_autocorrelation
from .phase_diagrams import draw_count, plot_phase_diagram
from .spectra import plot_density, plot_spectrum, plot_timescales
from .training import plot_design, plot_diagnosis

__all__ = [
    "plot_spectrum",
    "plot_density",
    "plot_phase_diagram",
    "plot_timescales",
    "plot_diagnosis",
    "plot_design",
    "plot_fixed_points",
    "plot_modes",
    "plot_mode_shares",
    "plot_complexity",
    "plot_singular_values",
    "plot_pseudospectrum",
    "plot_gradient_growth",
    "plot_gradients_by_lag",
    "plot_lyapunov_spectrum",
    "plot_finite_time_exponents",
    "plot_eigenvalues_along",
    "animate_eigenvalues",
    "plot_correlation_transient",
    "plot_pair",
    "plot_autocorrelation",
    "draw_count",
]


def __dir__() -> list[str]:
    return __all__.copy()
