"""Named flows that textbooks would print: what the smallest networks that can do something look like."""

from __future__ import annotations

from .flow import GRUFlow

__all__ = ["chaotic_gru"]


def chaotic_gru() -> GRUFlow:
    """A GRU of three units whose flow is chaotic: whole weights, no biases, no reset gate.

    Found among random whole weights. Exponents .082, 0 and -1.659 per unit of time, Kaplan-Yorke dimension 2.05; the only fixed
    point is 0, a saddle with a repelling spiral, so no trajectory but those on its stable manifold rests. Towards ``b_h[0]`` = .5
    chaos ends in a reversed cascade of period doublings.

    Returns
    -------
    GRUFlow

    See Also
    --------
    gating_theory.flow.lyapunov_spectrum : Its exponents.
    gating_theory.flow.section_diagram : Its period doublings.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.lyapunov_spectrum(
    ...     gt.flow.chaotic_gru(), start=[0.1, 0.2, 0.3], time=2000
    ... ).n_positive
    1
    """
    return GRUFlow(
        U_z=[[2, -8, -6], [0, -5, 4], [4, -10, 5]],
        U_h=[[0, -22, 3], [5, 3, -6], [-12, -14, -8]],
    )
