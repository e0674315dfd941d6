"""Modes of a given network at given states: told apart into bulk, shut gates, chance and what is learned [T11]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..ensemble.sites import Sites
from ..networks.network import Network
from ..networks.split_weights import SplitWeights, split_weights
from ..networks.weight_statistics import weight_origin
from ..results.status import Status
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import instance, real_array
from .mode_shares import ModeShares, mode_shares, with_matrices_at
from .modes import ALL, Modes

__all__ = ["ModesAt", "bulk_sites", "learned_modes", "modes_at", "modes_of", "single_networks"]

#: Outside is where the edge function is below 1 / (1 + this / sqrt N).
_MARGIN = 2.5
#: Share of the modulus from which on leaks hold a mode, and share of the mode on one unit from which on that unit does: inside the
#: support, and outside, where a few units that forget alike may share a mode.
_HELD, _ON_ONE, _ON_FEW = 0.95, 0.5, 0.25
#: A mode is learned if no eigenvalue is left within the first. Where it lies closer than that to modulus one, within that distance
#: or this share of what does not come from leaks: behind gates that are nearly shut all is close together.
_NEAR, _NEAR_SHARE = 0.03, 1.0 / 6.0
#: The learned part of what leaks leave of a mode that they hold, from which on it is learned; what is no part of it at all.
_MOST, _ROUNDING = 0.5, 1e-3
#: Modes outside a state, beside shut gates and the one that chance makes, from which on there is something that the split does not
#: explain.
_UNEXPLAINED = 3.0
#: Visibility below which even the strongest learned direction hardly stands out, so that others are hidden.
_CLEAR = 0.9


class ModesAt(NamedTuple):
    """What is found at one state: shares, eigenvalues of the bulk, the edge function at all modes, distances to what is left."""

    shares: ModeShares
    bulk: np.ndarray
    edge: np.ndarray
    bulk_edge: np.ndarray
    removed: dict[str, np.ndarray]


@underflow_is_zero
def learned_modes(net: Network, state: npt.ArrayLike, split: SplitWeights | None = None) -> Modes:
    """Which modes of a network are learned, from which field, and what its random part would do in their place [T11].

    Every eigenvalue of the exact Jacobian is split into what leaks of sites, the random and the learned part of each matrix give.
    Those outside the support that theory gives for the random part at the same sites are told apart by removal: the learned part of
    one field, or of all, is taken away, the sites held.

    A direction that is weaker than the random part does not show in a matrix: what was trained briefly from large gains needs
    ``split_weights(net, initial)``. Of weights that nothing tells from an initialisation no mode is called learned.

    Parameters
    ----------
    net : Network
        A single one, or a batch of one network under several inputs, as from ``Recording.at``.
    state : (d, N) or (S, d, N) array
        One state or several; of a batch one for each network.
    split : SplitWeights, optional
        Default: ``split_weights`` of the network, without initial weights.

    Returns
    -------
    Modes

    Raises
    ------
    TypeError, ValueError
        other types and shapes, a batch of several matrices, a split of other matrices
    CapabilityError
        nothing is known of the spectrum of a matrix law

    See Also
    --------
    gating_theory.split_weights : The split that it takes.
    gating_theory.predicted_outliers : Theory of what learned directions give.
    gating_theory.plotting.plot_modes : Eigenvalues by kinds.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
    >>> before = gt.Network.sample(ens, 100, rng=0)
    >>> direction = np.ones(100) / 10
    >>> learned = 0.95 * np.outer(direction, direction)
    >>> after = gt.Network(ens, before.matrices + learned, before.biases)
    >>> split = gt.split_weights(after, initial=before)
    >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
    >>> [(mode.kind, mode.field, round(mode.timescale, 1)) for mode in modes]
    [('learned', 'h', 50.5)]
    """
    instance("net", net, Network)
    single = net if net.batch is None else single_networks(net)[0]
    if net.batch is not None and not all(np.array_equal(single.matrices, other) for other in net.matrices):
        raise ValueError("net must be one network, or one under several inputs, got a batch of several matrices")
    split = split_weights(single) if split is None else instance("split", split, SplitWeights, "as from split_weights(net)")
    if split.random.shape != single.matrices.shape or not np.allclose(split.random + split.learned, single.matrices):
        raise ValueError("split must be that of net's matrices, got one of others")
    pairs = list(_pairs(net, state))
    size = single.cell.n_state * single.n_units
    require_memory(f"eigenvectors of {size} modes", 16.0 * 6 * size**2)
    return modes_of([modes_at(one, at, split) for one, at in pairs], single, split)


def _pairs(net, state) -> Iterator[tuple[Network, np.ndarray]]:
    """Single networks and their states."""
    states = real_array("state", state)
    if net.batch is not None:
        yield from zip(single_networks(net), net.as_state(states))
    elif states.ndim == 3:
        yield from ((net, net.as_state(one)) for one in states)
    else:
        yield net, net.as_state(states)


def single_networks(net: Network) -> list[Network]:
    """The networks of a batch one by one.

    Parameters
    ----------
    net : Network, a batch
    """
    parts = zip(net.matrices, net.biases, net.parameters, net.input)
    return [Network(net.ensemble, *arrays) for arrays in parts]


def bulk_sites(net: Network, state: np.ndarray, split: SplitWeights) -> Sites:
    """The sites at a state with the gains and laws of the random part of the weights.

    Parameters
    ----------
    net : Network
    state : (d, N) array
    split : SplitWeights
    """
    return replace(net.sites(state), gain=split.ensemble.array("gain"), matrices=split.ensemble.matrices)


def modes_at(net: Network, state: np.ndarray, split: SplitWeights) -> ModesAt:
    """All modes at one state.

    Parameters
    ----------
    net : Network, a single one
    state : (d, N) array
    split : SplitWeights, of its matrices
    """
    spectrum = Spectrum(bulk_sites(net, state, split))
    shares = mode_shares(net, state, split.random, split.learned)
    names = list(net.cell.field_names)
    learned = [k for k, name in enumerate(names) if split.learned[k].any()]
    left: dict[str, np.ndarray] = {}
    if learned:
        left[ALL] = with_matrices_at(net, state, split.random).eigenvalues(state)
    for k in learned:
        if len(learned) == 1:
            left[names[k]] = left[ALL]
            break
        matrices = net.matrices.copy()
        matrices[k] = split.random[k]
        left[names[k]] = with_matrices_at(net, state, matrices).eigenvalues(state)
    removed = {name: np.abs(shares.eigenvalues[:, None] - values).min(axis=1) for name, values in left.items()}
    bulk = left.get(ALL, shares.eigenvalues)
    edge = np.asarray(spectrum.edge_function(shares.eigenvalues))
    return ModesAt(shares, bulk, edge, edge if ALL not in left else np.asarray(spectrum.edge_function(bulk)), removed)


def modes_of(found: Sequence[ModesAt], net: Network, split: SplitWeights, *, trained: bool | None = None) -> Modes:
    """Modes at several states as one result, with their kinds.

    Parameters
    ----------
    found : sequence of ModesAt
    net : Network, a single one
    split : SplitWeights
    trained : bool or None
        Whether its weights are known to be no initialisation; None: they are held against shuffled ones where that matters.
    """
    threshold = 1.0 / (1.0 + _MARGIN / np.sqrt(net.n_units))
    eigenvalues, on_unit, leak, random, learned = (np.array(part) for part in zip(*(one.shares for one in found)))
    edge = np.array([one.edge for one in found])
    removed = {name: np.array([one.removed[name] for one in found]) for name in found[0].removed}
    if trained is None:
        trained = split.initial is not None or bool(removed) and weight_origin(net, 0).trained
    outside, held = edge < threshold, np.abs(leak - np.abs(eigenvalues)) <= (1.0 - _HELD) * np.abs(eigenvalues)
    kinds = np.where(outside, "random", "bulk").astype("<U7")
    if removed and trained:
        modulus = np.abs(eigenvalues)
        close = np.maximum(np.abs(1.0 - modulus), _NEAR_SHARE * (modulus - np.nan_to_num(leak)))
        gone = removed[ALL] > np.minimum(_NEAR, close)
        # what leaks hold is learned only where most of what they leave is
        own = ~held | (learned.sum(axis=1) >= np.maximum(_MOST * (modulus - leak), _ROUNDING))
        kinds[outside & gone & own] = "learned"
    kinds[held & (on_unit >= np.where(outside, _ON_FEW, _ON_ONE))] = "leak"
    shut = (outside & (kinds == "leak")).sum(axis=1)  # leaks are those of sites: they are there without the learned part as well
    beyond = float(((np.array([one.bulk_edge for one in found]) < threshold).sum(axis=1) - shut).mean())
    return Modes(
        ensemble=split.ensemble,
        n_units=net.n_units,
        n_learned={name: part.n_learned for name, part in split.fields.items()},
        from_initial=split.initial is not None,
        eigenvalues=eigenvalues,
        bulk_eigenvalues=np.array([one.bulk for one in found]),
        edge=edge,
        threshold=float(threshold),
        kinds=kinds,
        on_unit=on_unit,
        leak=leak,
        random=random,
        learned=learned,
        removed=removed,
        status=_status(split, beyond),
    )


def _status(split, beyond):
    """Whether the matrices tell: not where much is left outside without what they show, or what they show hardly stands out."""
    if split.initial is not None:
        return Status("ok")
    if not split.status.ok:
        words = str(split.status)
        asked = "" if "pass initial=" in words else "; pass initial=, the weights before training"
        return Status(split.status.code, words + asked, ok=False)
    if beyond > 1.0 + _UNEXPLAINED:
        why = (
            f"without the learned directions that the matrices show {beyond:.1f} modes a state lie outside that no shut gate holds"
        )
    elif 0.0 < (clearest := max((float(v) for part in split.fields.values() for v in part.visibility), default=0.0)) < _CLEAR:
        why = f"no learned direction stands out clearly (visibility {clearest:.2f} at most)"
    else:
        return Status("ok")
    return Status(
        "hidden", f"{why}: weaker training does not show in a matrix, pass initial=, the weights before training", ok=False
    )
