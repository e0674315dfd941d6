"""Trained recurrent weights as a random part and learned directions, from the matrices alone or with a checkpoint [T11]."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.matrix_laws import MatrixLaw, Unknown
from ..ensemble.rotation_invariant import Haar, HaarStack
from ..results.encoding import dict_of, require, require_shapes, result
from ..results.status import Status
from ..support.checks import choice, instance, real_array, texts
from .network import Network
from .singular_bulk import bulk_of, looks_like
from .weight_statistics import weight_origin

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["SplitField", "SplitWeights", "split_weights"]

#: With a checkpoint: the share of |U - U_0|^2 that the directions listed hold.
_HELD = 0.95
#: Strengths that are printed of each field.
_SHOWN = 6
#: Names of laws of matrices of which nothing was said, by alpha.
_NAMES = {0.0: "iid", 1.0: "orthogonal"}
#: Distance of a bulk from its law, times N, beyond which it is not random: of iid matrices and of networks of 64 units that were
#: trained for 600 updates it is 2 on average and 4.2 at most.
_BLURRED = 6.0
#: Share of all directions beyond which these are too many to stand out of anything: 20 % at most in networks trained here.
_MOST = 0.25


@result("split_field")
@dataclass(frozen=True)
class SplitField:
    """One recurrent matrix: its random bulk, and the R directions that stand out of it [T11].

    Attributes
    ----------
    law : str
        Of the random part: "iid", "orthogonal", "stack" (a block of one isometry of all fields), or the name of another law, whose
        singular values are not known here, so that nothing was split.
    gain : float, of the random part: a
    frobenius_gain : float, ``|U|_F / sqrt(N)`` of the whole matrix
    singular_values : (R,) array, of the directions that stand out, largest first: of U, or with a checkpoint of U - U_0
    strengths : (R,) array
        sigma, of the directions that were added to the random part: without a checkpoint smaller than the singular values of U,
        which noise stretches.
    visibility : (R,) array, c^2: squared cosine between a vector and the direction that was added, 1 with a checkpoint
    left, right : (R, N) arrays, unit vectors: U holds singular_values[r] left[r] right[r]^T
    bulk_distance : float
        Kolmogorov-Smirnov distance of the other singular values from the law of the random part: 2 / N to 4 / N where they are
        random (nan of orthogonal matrices, and where nothing was split). With a checkpoint that of its weights.
    from_initial : bool, whether they are of U - U_0

    Examples
    --------
    >>> import numpy as np
    >>> import gating_theory as gt
    >>> random = gt.Network.sample(gt.Ensemble(gt.Vanilla), 200, rng=0)
    >>> learned = np.full((200, 200), 3 / 200)  # strength 3
    >>> net = gt.Network(gt.Vanilla, random.matrices + learned, random.biases)
    >>> field = gt.split_weights(net).fields["h"]
    >>> print(field.law, round(field.gain, 1), field.strengths.round(1))
    iid 1.0 [3.1]
    """

    law: str
    gain: float
    frobenius_gain: float
    singular_values: np.ndarray
    strengths: np.ndarray
    visibility: np.ndarray
    left: np.ndarray = field(repr=False)
    right: np.ndarray = field(repr=False)
    bulk_distance: float = math.nan
    from_initial: bool = False

    as_dict = dict_of

    @property
    def n_learned(self) -> int:
        """R, how many directions stand out; with a checkpoint, how many hold 95 % of ``|U - U_0|^2``."""
        return len(self.strengths)

    @property
    def removed(self) -> np.ndarray:
        """(R,) array, how much of left[r] right[r]^T the learned part holds: all, or sigma c^2 where the law is orthogonal.

        There the random part is as large along a learned direction as along any other, and is left.
        """
        whole = self.law != "orthogonal" or self.from_initial
        return self.singular_values if whole else self.strengths * self.visibility

    def check(self) -> None:
        """ValueError where directions, strengths and visibilities are not of one number."""
        R = self.n_learned
        require_shapes(self, {"singular_values": (R,), "visibility": (R,), "left": (R, self.left.shape[-1])})
        require(self.left.shape == self.right.shape, "left and right must have one shape")

    def matrix(self, weights: npt.ArrayLike) -> np.ndarray:
        """The (N, N) matrix sum_r weights[r] left[r] right[r]^T.

        Parameters
        ----------
        weights : (R,) array
        """
        weights = real_array("weights", weights)
        if weights.shape != (self.n_learned,):
            raise ValueError(f"weights must have shape ({self.n_learned},), got {weights.shape}")
        return (self.left.T * weights) @ self.right

    def __str__(self) -> str:
        text = f"{self.law} gain {self.gain:.3f} (of all weights {self.frobenius_gain:.3f})"
        if not self.n_learned:
            return f"{text}, no learned direction" + (" changed" if self.from_initial else " stands out")
        one = self.n_learned == 1
        strengths = ", ".join(f"{s:.3g}" for s in self.strengths[:_SHOWN]) + (", .." if self.n_learned > _SHOWN else "")
        seen = ", ".join(f"{c:.2f}" for c in self.visibility[:_SHOWN]) + (", .." if self.n_learned > _SHOWN else "")
        visible = "" if self.from_initial else f" (visibility {seen})"
        return f"{text}, {self.n_learned} learned direction{'' if one else 's'} of strength {strengths}{visible}"


@result("split_weights")
@dataclass(frozen=True, repr=False)
class SplitWeights:
    """The recurrent weights of a network as random part plus learned directions, made by :func:`split_weights` [T11].

    Attributes
    ----------
    network : Network
    fields : dict, {field name: SplitField}, those whose matrix is not zero
    initial : (K, N, N) array or None, the weights before training where they were given
    status : Status
        Code "split" (directions stand out of a random bulk), "initial" (learned is the difference to a checkpoint), "random"
        (nothing stands out, and the weights look like an initialisation), and with ``ok`` False

        - "hidden": nothing stands out although the weights are not iid: learned directions weaker than the random part cannot be
          seen, pass ``initial=``;
        - "blurred": what lies below the directions is no random bulk: training went so far that strengths fall off without a gap,
          and how many are called learned is a convention;
        - "unsplit": the singular values of the law of the matrices are not known.

    Examples
    --------
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla), 100, rng=0)
    >>> split = gt.split_weights(net)  # nothing was learned
    >>> split.status.code, [field.n_learned for field in split.fields.values()]
    ('random', [0])
    """

    network: Network = field(repr=False)
    fields: dict[str, SplitField]
    initial: np.ndarray | None = field(repr=False)
    status: Status

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where fields or arrays are not those of the network."""
        n, matrices = self.network.n_units, self.network.matrices
        require(self.initial is None or self.initial.shape == matrices.shape, "initial must have the shape of the matrices")
        require(set(self.fields) <= set(self.network.cell.field_names), "fields must be those of the cell")
        for name, each in self.fields.items():
            require(each.left.shape == (each.n_learned, n), f"fields[{name!r}] must be of {n} units")

    @cached_property
    def learned(self) -> np.ndarray:
        """(K, N, N) array: the directions that stand out, each with the singular value that U has; with a checkpoint U - U_0.

        What is to be removed so that the rest is like a random network: for ablations and shares of modes. Of orthogonal matrices
        sigma c^2 is removed of each, see :attr:`SplitField.removed`.
        """
        if self.initial is not None:
            return _frozen(self.network.matrices - self.initial)
        return self._summed(lambda each: each.removed)

    @cached_property
    def random(self) -> np.ndarray:
        """(K, N, N) array, what is left without the learned part; with a checkpoint U_0. Its sum with ``learned`` is U."""
        return _frozen(self.network.matrices - self.learned if self.initial is None else self.initial.copy())

    @cached_property
    def for_outliers(self) -> np.ndarray:
        """(K, N, N) array: sigma / c^2 u v^T, whose bilinear forms with these vectors are those of the directions that were added.

        For eigenvalues of the Jacobian: v^T W u of singular vectors carries a factor c^2, which this takes out again.
        """
        return self._summed(lambda each: each.strengths / each.visibility)

    @cached_property
    def least_error(self) -> np.ndarray:
        """(K, N, N) array: sigma c^2 u v^T, the estimate of what was added with the least mean square error. Not for outliers."""
        return self._summed(lambda each: each.strengths * each.visibility)

    @cached_property
    def ensemble(self) -> Ensemble:
        """Of the random part: its gains and law, with means and spreads of biases and site parameters of the network."""
        own = self.network.ensemble
        gains = {f"gain.{name}": each.gain for name, each in self.fields.items()}
        laws: dict[str, str | MatrixLaw] = dict(own.matrices)
        for name, law in own.matrices.items():
            if isinstance(law, Unknown):
                laws[name] = self.fields[name].law if name in self.fields else "iid"
        return own.replace(gains).with_matrices(laws)

    def without(self, fields: Iterable[str] | None = None) -> Network:
        """The network with the learned part of some fields removed; biases, site parameters and input kept.

        Parameters
        ----------
        fields : names of fields, optional; default all

        Returns
        -------
        Network
            With the gains measured in its matrices, and matrices of an unknown law.

        Raises
        ------
        TypeError, ValueError
            no such field
        """
        net = self.network
        names = net.cell.field_names
        wanted = names if fields is None else texts("fields", fields, "names of fields")
        for name in wanted:
            choice("fields", name, names)
        chosen = np.array([name in wanted for name in names])[:, None, None]
        return Network(net.cell, np.where(chosen, self.random, net.matrices), net.biases, net.parameters, net.input)

    def _summed(self, weights):
        out = np.zeros_like(self.network.matrices)
        for k, name in enumerate(self.network.cell.field_names):
            if name in self.fields:
                out[k] = self.fields[name].matrix(weights(self.fields[name]))
        return _frozen(out)

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {each.n_learned}" for name, each in self.fields.items())
        return f"SplitWeights({self.network.cell.name}, {self.network.n_units} units, learned directions: {found or 'none'})"

    def __str__(self) -> str:
        net = self.network
        lines = [f"{net.cell.name}, {net.n_units} units: recurrent weights = random part + learned part"]
        lines += [f"  {name:<4} {each}" for name, each in self.fields.items()]
        return "\n".join([*lines, f"{'' if self.status.ok else 'note: '}{self.status}"])


def split_weights(net: Network, initial: Network | npt.ArrayLike | None = None) -> SplitWeights:
    """Split the recurrent weights of a trained network into random part and learned directions [T11].

    From the matrices alone: singular values of a random matrix lie in a bulk, whose lower part gives the gain a of the random part
    whatever was added to it; what stands out above the bulk was learned. For each such direction it is said how strong it was
    before the random part stretched it, and how well it can be seen. A learned direction weaker than the gain (iid weights) does
    not stand out at all: networks that were trained briefly from large gains, LSTMs above all, need ``initial``.

    Weights that were orthogonal matrices before training, each by itself or all fields in one stack as Keras draws them, are told
    by the lower half of their singular values. Splitting works there, and sees more: an orthogonal matrix hides no direction,
    however weak. In GRUs and LSTMs of 64 units, trained for 600 updates, the gain came out 2 % too small and strengths 7 % too
    large (7 % standard deviation), and directions down to half the gain stood out; of iid weights gains came out right to 2 %,
    strengths 3 to 10 % too large, and no direction below 1.8 gains stood out.

    With the weights before training, the learned part is the difference and the random part what they were.

    Parameters
    ----------
    net : Network, a single one of at least two units
    initial : Network, or (K, N, N) array of its matrices, optional
        Before training: of the same cell and size.

    Returns
    -------
    SplitWeights

    Raises
    ------
    TypeError, ValueError
        not a Network, a batch of networks, a single unit, an initial one of another cell or size

    See Also
    --------
    predicted_outliers : eigenvalues that the learned part makes

    Examples
    --------
    >>> import numpy as np
    >>> import gating_theory as gt
    >>> random = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=1.0), 200, rng=0)
    >>> learned = np.outer(np.tile([1.0, -1.0], 100), np.ones(200)) * 3 / 200  # strength 3
    >>> split = gt.split_weights(gt.Network(gt.Vanilla, random.matrices + learned, random.biases))
    >>> split.fields["h"].n_learned, round(float(split.fields["h"].strengths[0]), 1)
    (1, 3.0)
    """
    instance("net", net, Network)
    if net.batch is not None:
        raise ValueError(f"net must be a single network, got a batch of {net.batch}")
    if net.n_units < 2:
        raise ValueError("net must have at least two units, got one: a single weight has no random part")
    start = None if initial is None else _initial(net, initial)
    base = net.matrices if start is None else start
    alphas = _alphas(net, base)
    fields = {}
    for k, name in enumerate(net.cell.field_names):
        if net.matrices[k].any() or base[k].any():
            law, alpha = alphas[name]
            fields[name] = _from_bulk(net.matrices[k], law, alpha)
            if start is not None:
                fields[name] = _from_initial(net.matrices[k], start[k], law, alpha)
    return SplitWeights(net, fields, start, _status(net, fields, start))


def _initial(net, initial):
    if isinstance(initial, Network):
        if initial.cell != net.cell:
            raise ValueError(f"initial must be of the cell {net.cell.name!r} as net is, got {initial.cell.name!r}")
        initial = initial.matrices
    initial = real_array("initial", initial)
    if initial.shape != net.matrices.shape:
        raise ValueError(f"initial must have matrices of shape {net.matrices.shape} as net has, got {initial.shape}")
    return _frozen(initial.copy())


def _alphas(net, matrices):
    """{field: (name of the law, alpha)}; alpha None where the singular values of the law are not known."""
    laws, out = net.ensemble.matrices, {}
    together = sum(law == HaarStack() for law in laws.values())
    unknown = [name for name, U in zip(laws, matrices) if U.any() and isinstance(laws[name], Unknown)]
    found = dict(zip(unknown, looks_like([U for name, U in zip(laws, matrices) if name in unknown])))
    for name, law in laws.items():
        if isinstance(law, Unknown):
            alpha = found.get(name, 0.0)
            if 0.0 < alpha < 1.0 and len(unknown) < len(laws):
                alpha = 0.0  # a stack is one of all fields
            out[name] = (_NAMES.get(alpha, "stack"), alpha)
        elif isinstance(law, (Haar, HaarStack)):
            out[name] = (law.name, 1.0 if isinstance(law, Haar) else 1.0 / together)
        else:
            out[name] = (law.name, 0.0 if _like_iid(law) else None)
    return out


def _like_iid(law):
    """Whether singular values are those of iid entries: the law says that their equations are known, and adds nothing to them."""
    return "singular values" in law.holds and not np.any(law.log_gain(np.array([0.25, 0.5])))


def _from_bulk(U, law, alpha):
    left, y, right = np.linalg.svd(U)
    gain = float(np.linalg.norm(U) / np.sqrt(len(U)))
    if alpha is None:
        none = np.zeros((0, len(U)))
        return SplitField(law, gain, gain, none[:, 0], none[:, 0], none[:, 0], none, none)
    bulk = bulk_of(y, alpha)
    R = bulk.n_spikes
    out = y[:R].copy()
    vectors = left[:, :R].T.copy(), right[:R].copy()
    return SplitField(law, bulk.gain, gain, out, bulk.strengths(out), bulk.visibility(out), *vectors, bulk.distance(y))


def _from_initial(U, start, law, alpha):
    """The directions of U - U_0 that hold most of it."""
    left, y, right = np.linalg.svd(U - start)
    total = np.sum(y**2)
    R = int(np.searchsorted(np.cumsum(y**2), _HELD * total) + 1) if total > 0.0 else 0
    before, gain = _from_bulk(start, law, alpha), float(np.linalg.norm(U) / np.sqrt(len(U)))
    out = y[:R].copy()
    vectors = left[:, :R].T.copy(), right[:R].copy()
    return SplitField(law, before.gain, gain, out, out.copy(), np.ones(R), *vectors, before.bulk_distance, True)


def _status(net, fields, start):
    if start is not None:
        return Status("initial", "the learned part is what changed since the initial weights")
    unknown = [name for name, each in fields.items() if each.law not in ("iid", "orthogonal", "stack")]
    if unknown and len(unknown) == len(fields):
        return Status(
            "unsplit", f"nothing was split: singular values of the law {fields[unknown[0]].law!r} are not known", ok=False
        )
    if any(each.n_learned for each in fields.values()):
        n = net.n_units
        blurred = [
            name
            for name, each in fields.items()
            if each.bulk_distance * n > _BLURRED or each.law != "orthogonal" and each.n_learned > _MOST * n
        ]
        if not blurred:
            return Status("split", "learned: directions that stand out above the bulk; weaker ones stay in the random part")
        return Status(
            "blurred",
            f"the singular values of {', '.join(blurred)} fall off without a gap, the lower ones are not those of a random matrix: "
            "how many directions are called learned there is a convention, and the gain is not that of the initial weights",
            ok=False,
        )
    origin = weight_origin(net, 0)
    if not origin.trained:
        return Status("random", str(origin))
    return Status(
        "hidden",
        "no learned direction stands out from the random part although the weights are not iid "
        f"({origin.evidence}): pass initial=, the weights before training",
        ok=False,
    )


def _frozen(array):
    array.flags.writeable = False
    return array
