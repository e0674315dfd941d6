"""What is counted at states of trained networks: random bulk, learned modes, eigenvalues predicted from low-rank parts [T11].

Everything is evaluated at the network's own sites: a matrix that is exchanged leaves the fields, and so all derivatives of the
cell, as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

import gating_theory as gt
from gating_theory.training.mode_shares import with_matrices_at
from gating_theory.training.modes import ALL, KINDS

__all__ = [
    "BULK_ROWS",
    "KINDS",
    "LARGEST",
    "LEARNED",
    "LEFT",
    "MODULUS",
    "NEAR",
    "PREDICTION_ROWS",
    "RANK",
    "SLOW",
    "Split",
    "State",
    "bulk",
    "counted",
    "held_and_not",
    "outside_share",
    "predictions",
    "slow_modes",
]

#: A predicted eigenvalue this near finds one of the network's; slow ones are predicted, and the largest three of a state looked at.
NEAR, SLOW, LARGEST = 0.05, 0.9, 3
#: Principal components of visited messages that hold this share of their second moment.
HELD = 0.95
#: Modes of the table of shares, the learned share from which on a field holds a mode, and within what distance nothing may be left.
MODULUS, LEARNED, LEFT = 0.85, 0.1, 0.03
#: Share of the modulus from which on leaks hold a mode.
LEAK = 0.95
#: Rank of the difference from the initial weights.
RANK = 8
#: Discs around zero that hold these shares of the eigenvalues.
DISCS = (0.25, 0.5, 0.75)

BULK_ROWS = {
    "frobenius": "U, Frobenius gain",
    "bulk": "U, bulk gain",
    "random": "U minus its spikes, bulk gain",
    "rank": f"U minus rank {RANK} of dW, initial gain",
    "initial": "W0, initial gain",
    "fresh": "fresh iid matrices, bulk gain",
    "off": "these off the learned directions",
}
PREDICTION_ROWS = {
    "rank": f"rank {RANK} of dW, taken as independent of W0",
    "rank_visited": f"rank {RANK} of dW, and U on the visited subspace",
    "rank_initial": f"rank {RANK} of dW, and W0 in full",
    "spikes": "spikes of U, debiased",
    "spikes_visited": "spikes of U, debiased, and U on the visited subspace",
    "subspace": "U on the visited subspace and its spikes' right vectors",
    "initial": "W0",
    "control": "U on a random subspace of as many dimensions",
}


def outside_share(n_units):
    """The edge function below which an eigenvalue of n units is called outside: at 96 units 1 / 1.25."""
    return 1.0 / (1.0 + 2.5 / np.sqrt(n_units))


@dataclass(frozen=True)
class Split:
    """A network's split without and with its initial weights (K, N, N), and the largest part of what training added."""

    matrix: gt.SplitWeights
    checkpoint: gt.SplitWeights
    initial: np.ndarray

    @cached_property
    def rank(self):
        """(K, N, N): that part of U - W0."""
        out = []
        for change in self.checkpoint.learned:
            left, sizes, right = np.linalg.svd(change)
            out.append((left[:, :RANK] * sizes[:RANK]) @ right[:RANK])
        return np.array(out)

    def gains(self, which):
        """(K,) of "matrix" or "checkpoint"."""
        split = getattr(self, which)
        return np.array([split.fields[name].gain if name in split.fields else 0.0 for name in split.ensemble.cell.field_names])


@dataclass(frozen=True)
class State:
    """A state (d, N) of a driven network, those visited before (T, d, N), and inputs (T + 1, K, N) there, the present one last."""

    net: gt.Network
    state: np.ndarray
    visited: np.ndarray
    inputs: np.ndarray

    @classmethod
    def of(cls, recording, time, sequence):
        """Of a recording."""
        layer, states = recording.layer, recording.states[:, sequence]
        inputs, parameters = layer.drive(recording.inputs[: time + 1, sequence])
        return cls(layer.network.driven(inputs[-1], parameters[-1]), states[time], states[:time], inputs)

    @cached_property
    def sites(self):
        return self.net.sites(self.state)

    @cached_property
    def visited_bases(self):
        """For each field an orthonormal basis (N, n) of the messages up to the present: principal components of most of them."""
        states = np.concatenate([self.visited, self.state[None]])
        fields = self.net.driven(self.inputs).fields(states)
        rows = list(np.moveaxis(states, 1, 0)), list(np.moveaxis(fields, 1, 0)), list(self.net.parameters)
        bases = []
        for k in range(self.net.cell.n_fields):
            messages = np.broadcast_to(self.net.cell.compiled.message(k, *rows), fields[:, k].shape)
            _, lengths, components = np.linalg.svd(messages, full_matrices=False)
            held = np.cumsum(lengths**2)
            bases.append(components[: int(np.searchsorted(held, HELD * held[-1])) + 1].T)
        return bases

    def eigenvalues(self, matrices=None):
        """Of the Jacobian, or of that with other matrices (K, N, N) at the same sites."""
        net = self.net if matrices is None else with_matrices_at(self.net, self.state, matrices)
        return net.eigenvalues(self.state)

    def spectrum(self, gains):
        """What iid matrices of these gains (K,) would give at the same sites."""
        return gt.Spectrum.from_sites(self.net.cell, self.sites, gains, matrices="iid")


def bulk(state, split, rng):
    """{row of BULK_ROWS: (eigenvalues outside, error of discs, largest modulus minus theory's)}."""
    n, U = state.net.n_units, state.net.matrices
    own, first = split.gains("matrix"), split.gains("checkpoint")
    frobenius = np.sqrt(np.sum(U**2, axis=(1, 2)) / n)
    fresh = own[:, None, None] * rng.standard_normal(U.shape) / np.sqrt(n)
    plans = {
        "frobenius": (U, frobenius),
        "bulk": (U, own),
        "random": (split.matrix.random, own),
        "rank": (U - split.rank, first),
        "initial": (split.initial, first),
        "fresh": (fresh, own),
        "off": (_off(fresh, state.net.cell.field_names, split.matrix.fields), own),
    }
    spectra = {gains.tobytes(): state.spectrum(gains) for _, gains in plans.values()}
    return {name: _against(state.eigenvalues(M), spectra[gains.tobytes()], n) for name, (M, gains) in plans.items()}


def _off(matrices, names, fields):
    """Matrices that have nothing in common with the directions that stand out: as much is missing as of U minus its spikes."""
    out = matrices.copy()
    for M, name in zip(out, names):
        if name in fields:
            left, right = fields[name].left, fields[name].right
            M -= left.T @ (left @ M)
            M -= (M @ right.T) @ right
    return out


def _against(values, spectrum, n):
    modulus = np.abs(values)
    outside = int(np.sum(spectrum.edge_function(values) < outside_share(n)))
    radii = np.quantile(modulus, DISCS)
    inside = np.array([np.mean(modulus < radius) for radius in radii])
    error = np.abs(inside - spectrum.mass(0.0, radii, 1e-3)).max()
    return outside, float(error), float(modulus.max() - spectrum.radius())


def slow_modes(own, told):
    """A row for each slow mode outside the support of the matrix's split: what that and the checkpoint's make of it."""
    rows = []
    for state, column in np.argwhere(own.outside & (np.abs(own.eigenvalues) > MODULUS)).tolist():
        value = own.eigenvalues[state, column]
        same = int(np.abs(told.eigenvalues[state] - value).argmin())
        moved = {name: float(distance[state, column]) for name, distance in own.removed.items()}
        rows.append(
            {
                "state": state,
                "value": [float(value.real), float(value.imag)],
                "kind": [str(own.kinds[state, column]), str(told.kinds[state, same])],
                "leak": float(own.leak[state, column]),
                "random": float(own.random[state, :, column].sum()),
                "learned": own.learned[state, :, column].tolist(),
                "checkpoint": told.learned[state, :, same].tolist(),
                "moved": [moved.get(name, 0.0) for name in own.field_names],
                "removed": moved.get(ALL, 0.0),
            }
        )
    return rows


def predictions(state, split, held, isolated, rng):
    """What there is to find of the ``isolated`` eigenvalues, slow and in all; {row of PREDICTION_ROWS: counts and errors}.

    A prediction that is near one of those ``held`` by leaks and not near another is not counted.
    """
    U, spikes = state.net.matrices, split.matrix
    spectrum = state.spectrum(split.gains("matrix"))
    right = [spikes.fields[name].right.T if name in spikes.fields else None for name in state.net.cell.field_names]
    spanned = [_basis(Q, R) for Q, R in zip(state.visited_bases, right)]
    control = [np.linalg.qr(rng.standard_normal(Q.shape))[0] for Q in spanned]
    matrices = {
        "rank": split.rank,
        "rank_initial": split.initial + split.rank,
        "spikes": spikes.for_outliers,
        "subspace": _projected(U, spanned),
        "initial": split.initial,
        "control": _projected(U, control),
    }
    found = {}
    for name in PREDICTION_ROWS:
        if name in matrices:
            predicted = state.eigenvalues(matrices[name])
            predicted = predicted[spectrum.edge_function(predicted) < 1.0]
        else:
            low_rank = spikes if name == "spikes_visited" else split.rank
            gain = split.gains("matrix")
            predicted = gt.predicted_outliers(state.net, low_rank, state.state, state.visited, state.inputs, gain=gain).values
        found[name] = counted(isolated, _not_held(predicted, held, isolated))
    return {"slow": int(np.sum(np.abs(isolated) > SLOW)), "isolated": isolated.size, "rows": found}


def held_and_not(modes, state):
    """Eigenvalues outside at one state, largest modulus first: those that leaks hold, which no matrix need predict, and others."""
    outside = np.flatnonzero(modes.outside[state])
    outside = outside[np.argsort(-np.abs(modes.eigenvalues[state, outside]))]
    values = modes.eigenvalues[state, outside]
    held = modes.leak[state, outside] >= LEAK * np.abs(values)
    return values[held], values[~held]


def counted(isolated, predicted):
    """How many slow ones and how many in all are found, distances of the largest, and predictions that are real."""
    if not predicted.size:
        return {"slow": 0, "isolated": 0, "errors": [], "predicted": 0, "real": 0}
    distance = np.abs(isolated[:, None] - predicted).min(axis=1) if isolated.size else np.empty(0)
    back = np.abs(predicted[:, None] - isolated).min(axis=1) if isolated.size else np.full(predicted.size, np.inf)
    slow = np.abs(isolated) > SLOW
    return {
        "slow": int(np.sum(distance[slow] < NEAR)),
        "isolated": int(np.sum(distance < NEAR)),
        "errors": distance[:LARGEST].tolist(),
        "predicted": predicted.size,
        "real": int(np.sum(back < NEAR)),
    }


def _not_held(predicted, held, isolated):
    if not predicted.size or not held.size:
        return predicted
    near = [np.abs(predicted[:, None] - of).min(axis=1, initial=np.inf) for of in (held, isolated)]
    return predicted[(near[0] >= NEAR) | (near[1] < NEAR)]


def _basis(Q, R):
    if R is None or not R.size:
        return Q
    left, sizes, _ = np.linalg.svd(np.concatenate([Q, R], axis=1), full_matrices=False)
    return left[:, sizes > 1e-7]


def _projected(matrices, bases):
    return np.array([(U @ Q) @ Q.T for U, Q in zip(matrices, bases)])
