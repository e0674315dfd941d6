"""Where a noisy quantity of random networks changes its sign: by bisection for each network.

A network meets the same random numbers at all values of a path, so that one network is seen to change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import ConvergenceError

if TYPE_CHECKING:
    from ..ensemble.critical_value import Side

__all__ = ["SignChange", "sign_change"]

#: (quantity, its error) of one network at a value of the path.
_Noisy = Callable[[float], "Side"]

#: Quantities that differ from zero by so many of their errors at both ends of a bracket jump, if the bracket is narrower than this
#: share of N^{-1/2}, relative to the value.
_JUMP_SIGMAS, _JUMP_WIDTH = 5.0, 0.25
#: The bracket of another network is so many N^{-1/2} wide at first, relative to the value or to this; it is moved so often at most.
_REACH, _LEAST_REACH, _MOVES = 2.0, 0.1, 8


class SignChange(NamedTuple):
    """Where a quantity changes its sign, on the average over networks.

    Attributes
    ----------
    value : float
    error : float
        Scatter of the networks about their mean over sqrt(their number), the quantity's error over its slope, and half the width of
        the bracket, in quadrature; one network does not scatter.
    below, above : (float, float), quantity and error at the ends of the first network's bracket
    jumps : bool, whether it differs from zero by five errors on both sides of a bracket of relative width N^{-1/2} / 4
    rising : bool
    values : tuple, of each network
    """

    value: float
    error: float
    below: Side
    above: Side
    jumps: bool
    rising: bool
    values: tuple[float, ...]


def sign_change(
    networks: Sequence[_Noisy],
    first: _Noisy,
    bracket: tuple[float, float],
    outer: tuple[float, float],
    tol: float,
    n_units: int,
    finest: float,
    tell: Callable[[int], None],
) -> SignChange:
    """The mean of the places at which a quantity of each of several networks changes its sign.

    Parameters
    ----------
    networks : sequence of callables
    first : the one whose sign differs at the ends of ``bracket``; the others are looked for near where it changes
    bracket, outer : (low, high), the latter not to be left
    tol : float, width of the last brackets, relative to the value, or to ``finest`` where that is more
    n_units : int, N
    finest : float
    tell : callable, is told 1 after each network

    Raises
    ------
    ConvergenceError
        one network changes its sign, another does not
    """
    rising = first(bracket[0])[0] < 0.0
    found = [_bisect(first, *bracket, tol, n_units, finest)]
    tell(1)
    for network in (network for network in networks if network is not first):
        low, high = _around(network, found[0], rising, n_units, outer)
        found.append(_bisect(network, low, high, tol, n_units, finest))
        tell(1)
    values = [0.5 * (low + high) for low, high, *_ in found]
    low, high, below, above, jumps = found[0]
    statistical = [] if jumps else [_error_over_slope(*one[:4]) for one in found]
    scatter = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    own = np.mean(statistical) / np.sqrt(len(values)) if statistical else 0.0
    error = float(np.sqrt(scatter**2 + own**2 + (0.5 * (high - low)) ** 2))
    return SignChange(float(np.mean(values)), error, below, above, bool(jumps), bool(rising), tuple(values))


def _around(network, found, rising, n_units, outer):
    """A bracket for another network: about the first one's value, moved until the sign changes, and widened where that fails."""
    value = 0.5 * (found[0] + found[1])
    reach = max(abs(value), _LEAST_REACH) * _REACH / np.sqrt(n_units) + 0.5 * (found[1] - found[0])
    for keep in (False, True):
        low, high = value - reach, value + reach
        for _ in range(_MOVES):
            low, high = max(low, outer[0]), min(high, outer[1])
            width = high - low
            if (network(low)[0] < 0.0) != rising:
                # where signs so close to a change are accidents the other end has to stay
                low, high = low - 2.0 * width, high if keep else low
            elif (network(high)[0] < 0.0) == rising:
                low, high = low if keep else high, high + 2.0 * width
            else:
                return low, high
            if high <= outer[0] or low >= outer[1]:
                break
    raise ConvergenceError(f"one of the networks changes its sign near {value:.4g}, another one does not within {outer}", value)


def _bisect(network, low, high, tol, n_units, finest):
    """(low, high, quantities there, whether it jumps) of a bracket narrower than tol."""
    below, above = network(low), network(high)
    while True:
        size = max(abs(low), abs(high), finest)
        apart = min(abs(x) - _JUMP_SIGMAS * (e if np.isfinite(e) else 0.0) for x, e in (below, above)) > 0.0
        # whether quantities stay apart on both sides shows in narrow brackets only
        if high - low <= tol * size and not (apart and high - low > _JUMP_WIDTH * size / np.sqrt(n_units)):
            return low, high, below, above, apart
        middle = 0.5 * (low + high)
        found = network(middle)
        if (found[0] < 0.0) == (below[0] < 0.0):
            low, below = middle, found
        else:
            high, above = middle, found


def _error_over_slope(low, high, below, above):
    """What the quantities' errors at the ends of a bracket mean for the place where it vanishes."""
    if not (np.isfinite(below).all() and np.isfinite(above).all()) or above[0] == below[0]:
        return 0.0
    return 0.5 * np.hypot(below[1], above[1]) * (high - low) / abs(above[0] - below[0])
