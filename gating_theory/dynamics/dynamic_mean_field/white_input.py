"""White input in continuous time: which ensembles have a limit of small steps [T8]."""

from __future__ import annotations

from ...cell.white_noise import bears_white_noise
from ...ensemble.ensemble import Ensemble
from ...errors import CapabilityError

__all__ = ["require_flow_limit", "white_fields"]


def white_fields(ensemble: Ensemble) -> list[str]:
    """Names of fields with white input.

    Parameters
    ----------
    ensemble : Ensemble
    """
    return [name for name, std in ensemble.input_std.items() if std]


def require_flow_limit(ensemble: Ensemble, who: str) -> None:
    """CapabilityError where white input to a flow has no limit of small steps.

    Parameters
    ----------
    ensemble : Ensemble
    who : str, the function that asks
    """
    white = white_fields(ensemble)
    fed = [name for name, std in ensemble.parameter_input_std.items() if std]
    if fed or white and not bears_white_noise(ensemble.cell, white):
        raise CapabilityError(
            f"{who}: white input to {', '.join(fed or white)} has no limit in continuous time: a gate, a message, or a factor "
            "of itself feels it. Filter it into a state of the cell, dn/dt = (y_n - n)/tau with white input to a new field y_n"
            " of gain 0, and add n where the input went (docs/guides/chaos.md has one); or give a step, as a map"
        )
