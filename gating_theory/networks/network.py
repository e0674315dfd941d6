"""Sampled networks: dense matrices, the exact Jacobian, its eigenvalues, planted fixed points [T1, T2].

This is the finite-N side of every theory-against-simulation comparison, and the home of trained weights. Nothing here knows
the theory of the spectrum: the Jacobian is assembled from the site derivatives of the cell and the matrices, and diagonalised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from ..cell.cell import Cell
from ..counting.complexity import Complexity
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import LARGEST
from ..ensemble.sites import Sites
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_point import FixedPoint
from ..results.display import brief
from ..results.encoding import dict_of, result
from ..running.blas import single_blas_thread
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import boolean, complex_array, generator, instance, integer, real, real_array, real_numbers, shown
from .drawn import planted, random_matrices, random_sites

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ..support.types import Rng
    from .fixed_points import NetworkFixedPoints

__all__ = ["Network"]

#: Below this size of a Jacobian several BLAS threads cost more than they bring.
_SMALL = 256


@result("network", fields=("ensemble", "matrices", "biases", "parameters", "input"))
class Network:
    """A network with given dense matrices, or a batch of B of them, all of one cell [T1].

    One step of N units with states s (d variables each) computes the K fields one after the other and updates the states::

        y_k = U_k m_k(s, y_1..y_{k-1}) + b_k + I_k,        s' = F(s, y)

    Made by :meth:`sample` (a random network), :meth:`planted` (a random network conditioned on a mean-field fixed point) or from
    arrays, for example trained weights. In everything below a batch adds one leading axis of length B.

    Parameters
    ----------
    ensemble : Ensemble or Cell
        An Ensemble is taken at its word: that the arrays are those of one of its networks, of its laws of matrices. With a bare
        Cell the ensemble attached is that of the same second moments: gains ``|U_k|_F / sqrt(N)``, means and spreads of biases
        and site parameters as found in the arrays. The law of its matrices is "unknown".
    matrices : (K, N, N) or (B, K, N, N) array
        U_k[i, j] weighs the message of unit j in field k of unit i.
    biases : (K, N) or (B, K, N) array
    parameters : (P, N) or (B, P, N) array, optional
        Site parameters of the cell (peephole weights and the like). Default: the ensemble's means, 0 for a bare Cell.
    input : (K, N) or (B, K, N) array, optional
        Frozen input pattern I_k. Default 0.

    Attributes
    ----------
    ensemble : Ensemble
    cell : Cell
    n_units : int, N
    batch : int or None, B
    matrices, biases, parameters, input : read-only arrays, as above

    Raises
    ------
    TypeError, ValueError
        For wrong types, shapes that do not fit together, values that are not finite.

    See Also
    --------
    simulate : large networks whose matrices are never formed
    Spectrum : the spectrum in the limit of many units

    Notes
    -----
    States are arrays (d, N), with a batch (B, d, N). Flat ones, (d N,) or (B, d N), are taken as well: the N values of the first
    state variable come first (for the LSTM all h, then all c). That is also the order of rows and columns of the Jacobian.
    Results always have the full shape.

    Examples
    --------
    A sampled network, one from arrays, and a run of each:

    >>> import numpy as np
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.GRU, gain=2), 100, rng=0)
    >>> net.run(net.random_state(rng=1), 50).shape
    (1, 100)
    >>> own = gt.Network(gt.Vanilla, 0.5 * np.eye(3)[None], np.zeros((1, 3)))
    >>> own.eigenvalues(np.zeros(3))
    array([0.5+0.j, 0.5+0.j, 0.5+0.j])
    """

    as_dict = dict_of

    def __init__(
        self,
        ensemble: Ensemble | Cell,
        matrices: npt.ArrayLike,
        biases: npt.ArrayLike,
        parameters: npt.ArrayLike | None = None,
        input: npt.ArrayLike | None = None,
    ) -> None:
        if not isinstance(ensemble, (Ensemble, Cell)):
            raise TypeError(f"ensemble must be an Ensemble or a Cell, got {shown(ensemble)}")
        cell = ensemble.cell if isinstance(ensemble, Ensemble) else ensemble
        K, P = cell.n_fields, cell.n_parameters
        matrices = real_array("matrices", matrices)
        shape = matrices.shape
        if matrices.ndim not in (3, 4) or shape[-3] != K or shape[-1] != shape[-2] or 0 in shape:
            raise ValueError(
                f"matrices must have shape ({K}, N, N), or (B, {K}, N, N) for a batch: one square matrix for each of the fields "
                f"{list(cell.field_names)} of cell {cell.name!r}; got shape {shape}"
            )
        self._cell = cell
        self._n = shape[-1]
        self._batch = shape[0] if matrices.ndim == 4 else None
        self._matrices = _owned(matrices)
        self._biases = self._per_site("biases", biases, K)
        if parameters is None:
            means = ensemble.array("parameter") if isinstance(ensemble, Ensemble) else np.zeros(P)
            parameters = np.broadcast_to(means[:, None], (*self._lead, P, self._n))
        self._parameters = self._per_site("parameters", parameters, P)
        self._input = self._per_site("input", np.zeros((*self._lead, K, self._n)) if input is None else input, K)
        self._connected = [bool(self._matrices[..., k, :, :].any()) for k in range(K)]
        self._ensemble = ensemble if isinstance(ensemble, Ensemble) else self._measured_ensemble()

    @classmethod
    def sample(cls, ensemble: Ensemble, n_units: int, rng: Rng = None, batch: int | None = None) -> Self:
        """A random network of an ensemble, or a batch of independent ones [T1].

        Matrices are drawn from the ensemble's laws (iid normal: entries of variance a_k^2 / N), those of a stack together, of all
        its fields; biases, site parameters and the frozen input are iid normal over sites, of the ensemble's means and spreads.

        Parameters
        ----------
        ensemble : Ensemble
        n_units : int >= 1, N
        rng : numpy Generator, int or None
        batch : int >= 1 or None, the number B of networks

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            For anything but an Ensemble, sizes that are not positive integers (floats are refused even when whole), another number
            of units than given loadings have.
        CapabilityError
            the law of a matrix is unknown

        Examples
        --------
        >>> import gating_theory as gt
        >>> net = gt.Network.sample(gt.Ensemble(gt.GRU, gain=2), 100, rng=0)
        >>> net.matrices.shape, round(float(net.matrices.std()), 2)  # 2 / sqrt(100)
        ((3, 100, 100), 0.2)
        """
        instance("ensemble", ensemble, Ensemble)
        n = integer("n_units", n_units, low=1)
        lead = () if batch is None else (integer("batch", batch, low=1),)
        rng = generator(rng)
        require_memory(f"a network of n_units = {n}, batch = {batch}", 8.0 * int(*lead or (1,)) * ensemble.cell.n_fields * n**2)
        matrices = random_matrices(ensemble, n, lead, rng)
        matrices.flags.writeable = False
        return cls(ensemble, matrices, *random_sites(ensemble, n, lead, rng))

    @classmethod
    @underflow_is_zero
    def planted(cls, fixed_point: FixedPoint | Complexity, n_units: int, rng: Rng = None) -> tuple[Self, np.ndarray]:
        """A random network conditioned on having a given mean-field or typical fixed point, and that state [T4, T5, T7].

        Fields are drawn from their mean-field law, states solved for site by site, and each U_k conditioned on
        U_k m_k = x_k, the part of the field that comes through it (iid normal: ``U = U0 - (U0 m - x) m^T / |m|^2``; orthogonal
        ones, and stacks of them, are reflected).

        The state is a fixed point to rounding, at any N. Of iid matrices nothing is rescaled: the x_k have the variance a_k^2 q_k
        of the infinite network, while ``|m_k|^2 / N`` of the N sites drawn differs from q_k by its sampling error, of relative
        order N^{-1/2}. Matrices that keep lengths need ``|x_k| = a_k |m_k|`` exactly: all x_k are stretched by one factor each
        (one together, in a stack of one message) until that holds. So a planted network is a typical one with moments that far
        from the limit, as those of any sampled network are.

        At a typical fixed point, of a :class:`Complexity`, sites follow its tilted law. That counts fixed points with the weight
        ``|det(1 - J)|``; here networks of the same sites all count alike, which changes averages by order 1/N.

        Parameters
        ----------
        fixed_point : FixedPoint, or Complexity with a typical fixed point
        n_units : int >= 1, N
        rng : numpy Generator, int or None

        Returns
        -------
        net : Network
        state : (d, N) array

        Raises
        ------
        ConvergenceError
            A site has no fixed point at its fields (cells without a closed form); no stretch of the fields lets the matrices keep
            lengths (few units, near onsets and folds).
        ValueError
            The messages of all the sites drawn vanish though the fixed point's do not (tiny N only); no typical fixed point.
        CapabilityError
            the law of a matrix is not known to be conditioned; a stack over more than two messages

        Examples
        --------
        >>> import gating_theory as gt
        >>> point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=3))[-1]
        >>> net, state = gt.Network.planted(point, 100, rng=0)
        >>> bool(abs(net.step(state) - state).max() < 1e-12)
        True
        """
        if not isinstance(fixed_point, Complexity):
            instance("fixed_point", fixed_point, FixedPoint, "as from fixed_points(ensemble)")
        elif not fixed_point.saddles:
            raise ValueError(f"fixed_point: there is no typical fixed point to plant: {fixed_point.status}")
        n = integer("n_units", n_units, low=1)
        rng = generator(rng)
        ensemble = fixed_point.ensemble
        ensemble.require("conditioning", "Network.planted", "Network.sample and find_fixed_points")
        require_memory(f"a network of n_units = {n}", 8.0 * ensemble.cell.n_fields * n**2)
        matrices, sites = planted(fixed_point, n, rng)
        matrices.flags.writeable = False
        return cls(ensemble, matrices, sites.biases, sites.parameters, sites.input), sites.state

    def driven(self, input: npt.ArrayLike | None = None, parameters: npt.ArrayLike | None = None) -> Network:
        """The same network under another frozen input or with other site parameters; its matrices are shared, not copied.

        With a batch axis in either, the result is a batch of this one network, once for every input.

        Parameters
        ----------
        input : (K, N) or (B, K, N) array, optional
            I_k, in place of this network's; default unchanged.
        parameters : (P, N) or (B, P, N) array, optional
            In place of this network's; default unchanged.

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            arrays of another shape or batch, not of real numbers, not finite
        """
        given = {"input": (input, self._input), "parameters": (parameters, self._parameters)}
        arrays = {name: own if value is None else real_array(name, value) for name, (value, own) in given.items()}
        lead = self._lead
        if not lead:
            lead = next((a.shape[:1] for a in arrays.values() if a.ndim == 3), ())
        net = object.__new__(Network)
        net.__dict__ |= self.__dict__
        net._batch = lead[0] if lead else None
        for name, array in arrays.items():
            rows = given[name][1].shape[-2:]
            if array.shape not in (rows, (*lead, *rows)):
                raise ValueError(f"{name} must have shape {rows} or {(*(lead or ('B',)), *rows)}, got {array.shape}")
            setattr(net, f"_{name}", np.broadcast_to(_owned(array), (*lead, *rows)))
        for name in ("_matrices", "_biases"):
            own = getattr(self, name)
            setattr(net, name, np.broadcast_to(own, (*lead, *own.shape[len(self._lead) :])))
        return net

    # --- what it is

    @property
    def ensemble(self) -> Ensemble:
        """The Ensemble."""
        return self._ensemble

    @property
    def cell(self) -> Cell:
        """The Cell."""
        return self._cell

    @property
    def n_units(self) -> int:
        """N, the number of units of a network."""
        return self._n

    @property
    def batch(self) -> int | None:
        """B, the number of networks, or None for a single one."""
        return self._batch

    @property
    def matrices(self) -> np.ndarray:
        """(K, N, N) or (B, K, N, N) array, read-only."""
        return self._matrices

    @property
    def biases(self) -> np.ndarray:
        """(K, N) or (B, K, N) array, read-only."""
        return self._biases

    @property
    def parameters(self) -> np.ndarray:
        """(P, N) or (B, P, N) array of site parameters, read-only."""
        return self._parameters

    @property
    def input(self) -> np.ndarray:
        """(K, N) or (B, K, N) array, the frozen input pattern, read-only."""
        return self._input

    def __repr__(self) -> str:
        return brief("Network", f"{self._size_in_words()}, {self._ensemble!r}")

    def __str__(self) -> str:
        return f"Network({self._size_in_words()}, {self._ensemble})"

    def _size_in_words(self):
        return f"{self._n} units" if self._batch is None else f"{self._batch} networks of {self._n} units"

    @property
    def _lead(self):
        return () if self._batch is None else (self._batch,)

    def _per_site(self, name, value, rows):
        value = real_array(name, value)
        shape = (*self._lead, rows, self._n)
        if value.shape != shape:
            raise ValueError(f"{name} must have shape {shape} for these matrices and cell {self._cell.name!r}, got {value.shape}")
        return _owned(value)

    def _measured_ensemble(self):
        """The ensemble with the second moments of the given arrays, whose law is unknown."""
        cell = self._cell
        over = tuple(range(len(self._lead)))
        norm2 = (self._matrices**2).sum(axis=(-2, -1)).mean(axis=over)

        def of_sites(names, array):
            rows = np.moveaxis(array, -2, 0).reshape(len(names), self._n * (self._batch or 1))
            return dict(zip(names, rows.mean(axis=1).tolist())), dict(zip(names, rows.std(axis=1).tolist()))

        bias, bias_std = of_sites(cell.field_names, self._biases)
        parameter, parameter_std = of_sites(cell.parameter_names, self._parameters)
        gain = dict(zip(cell.field_names, np.sqrt(norm2 / self._n).tolist()))
        return Ensemble(cell, gain, bias, bias_std, parameter=parameter, parameter_std=parameter_std, matrices="unknown")

    # --- states

    def random_state(self, rng: Rng = None, scale: float = 1.0) -> np.ndarray:
        """A state with every variable of every unit iid normal.

        Parameters
        ----------
        rng : numpy Generator, int or None
        scale : float >= 0, the standard deviation

        Returns
        -------
        (d, N) or (B, d, N) array
        """
        scale = real("scale", scale, low=0.0, high=LARGEST)
        return scale * generator(rng).standard_normal((*self._lead, self._cell.n_state, self._n))

    def as_state(self, state: npt.ArrayLike) -> np.ndarray:
        """A state as methods take it, full or flat, in the full shape (d, N) or (B, d, N).

        Parameters
        ----------
        state : (d, N) array, or flat

        Raises
        ------
        TypeError, ValueError
            another shape, not real numbers, not finite
        """
        state = real_array("state", state)
        d, n = self._cell.n_state, self._n
        full, flat = (*self._lead, d, n), (*self._lead, d * n)
        if state.shape not in (full, flat):
            raise ValueError(f"state must have shape {full} or, state variable after state variable, {flat}, got {state.shape}")
        return state.reshape(full)

    def as_input(self, input: npt.ArrayLike | None) -> np.ndarray:
        """An input pattern as methods take it, (K, N) or (B, K, N); None is the network's own frozen one.

        Parameters
        ----------
        input : (K, N) or (B, K, N) array, or None

        Raises
        ------
        TypeError, ValueError
            another shape, not real numbers, not finite
        """
        if input is None:
            return self._input
        input = real_array("input", input)
        shared = (self._cell.n_fields, self._n)
        if input.shape not in ((*self._lead, *shared), shared):
            allowed = f"{shared}" if self._batch is None else f"{(*self._lead, *shared)} or, the same for every network, {shared}"
            raise ValueError(f"input must have shape {allowed}, got {input.shape}")
        return np.broadcast_to(input, (*self._lead, *shared))

    def _rows(self, array):
        """Sequence of variables, each (N,) or (B, N), for the compiled functions of the cell."""
        return [array[..., i, :] for i in range(array.shape[-2])]

    def _fields(self, state, pattern):
        cell = self._cell
        s, p = self._rows(state), self._rows(self._parameters)
        y = np.zeros(pattern.shape)
        rows = self._rows(y)  # views: earlier fields are there when a message asks for them
        for k in range(cell.n_fields):
            rows[k][...] = self._biases[..., k, :] + pattern[..., k, :]
            if self._connected[k]:
                message = np.broadcast_to(cell.compiled.message(k, s, rows, p), rows[k].shape)
                matrix = self._matrices[..., k, :, :]
                if matrix.ndim == 3 and matrix.strides[0] == 0:  # one network in many states: one product
                    rows[k][...] += message @ matrix[0].T
                else:
                    rows[k][...] += np.matmul(matrix, message[..., None])[..., 0]
        return y

    def _update(self, state, fields):
        values = self._cell.compiled.update(self._rows(state), self._rows(fields), self._rows(self._parameters))
        out = np.empty(state.shape)
        for i, value in enumerate(values):
            out[..., i, :] = value
        return out

    # --- dynamics

    @underflow_is_zero
    def fields(self, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> np.ndarray:
        """The fields y_k = U_k m_k + b_k + I_k at a state, computed in the cell's order [T1].

        Parameters
        ----------
        state : (d, N) array, or flat
        input : (K, N) array, optional
            I_k; default the network's frozen pattern, which is 0 unless the ensemble has an ``input_std``.

        Returns
        -------
        (K, N) or (B, K, N) array

        Raises
        ------
        TypeError, ValueError
            arrays of another shape, not of real numbers, or not finite
        """
        return self._fields(self.as_state(state), self.as_input(input))

    def step(self, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> np.ndarray:
        """The next state s' = F(s, y(s)) [T1]; arguments as in :meth:`fields`. Returns (d, N) or (B, d, N)."""
        return self.advance(self.as_state(state), self.as_input(input))[1]

    @underflow_is_zero
    def advance(self, state: np.ndarray, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fields and next state of one step, with nothing checked: for those who make many steps and look at the result themselves.

        Parameters
        ----------
        state : (d, N) or (B, d, N) array, as :meth:`as_state` gives it
        pattern : (K, N) or (B, K, N) array, the input, as :meth:`as_input` or :meth:`input_sequence` give it

        Returns
        -------
        fields, state : arrays (K, N) and (d, N), with a batch (B, K, N) and (B, d, N); the state may be infinite
        """
        fields = self._fields(state, pattern)
        return fields, self._update(state, fields)

    @underflow_is_zero
    def run(
        self,
        state: npt.ArrayLike,
        n_steps: int,
        input: npt.ArrayLike | str = "noise",
        rng: Rng = None,
        trajectory: bool = False,
        parameters: npt.ArrayLike | None = None,
    ) -> np.ndarray:
        """Run the network for a number of steps [T1].

        A layer read from another library runs along a sequence x (T, I) with ``fields, sites = layer.drive(x)`` as
        ``layer.network.run(state, T, fields, parameters=sites)``, or as ``layer.run(x)``.

        Parameters
        ----------
        state : (d, N) array, or flat
        n_steps : int >= 0
        input : "noise", "frozen" or array
            "noise": to fields with an ``input_std`` a fresh normal pattern at every step, to others their frozen pattern.
            "frozen": the network's own pattern at every step. (K, N): this pattern at every step. (n_steps, K, N): one
            pattern a step. With a batch (B, K, N) and (n_steps, B, K, N).
        rng : numpy Generator, int or None
            For the noise; not touched where there is none.
        trajectory : bool
            Return all states, the initial one first, rather than the last.
        parameters : array, optional
            Site parameters in place of this network's: (P, N), or (n_steps, P, N) for one set a step, with a batch (B, P, N) and
            (n_steps, B, P, N). PyTorch's GRU gets the candidate's input through one of them.

        Returns
        -------
        (d, N) or (B, d, N) array; with ``trajectory`` a leading axis of length n_steps + 1

        Raises
        ------
        ConvergenceError
            the state runs away to infinity (cells with unbounded candidates); ``estimate`` is the last finite state
        """
        state = self.as_state(state)
        n_steps = integer("n_steps", n_steps)
        boolean("trajectory", trajectory)
        pattern_at = self.input_sequence(input, n_steps, rng)
        network_at = self._parameter_sequence(parameters, n_steps)
        state = state.copy()
        states = [state]
        for t in range(n_steps):
            with np.errstate(over="ignore", invalid="ignore"):
                new = network_at(t).advance(state, pattern_at(t))[1]
            if not np.isfinite(new).all():
                raise ConvergenceError(f"the state runs away: it is not finite after {t + 1} steps", estimate=state)
            state = new
            if trajectory:
                states.append(state)
        return np.array(states) if trajectory else state

    def input_sequence(self, input: npt.ArrayLike | str, n_steps: int, rng: Rng = None) -> Callable[[int], np.ndarray]:
        """The input pattern of every step, as :meth:`run` takes it: a function of the step.

        Parameters
        ----------
        input : "noise", "frozen" or array, as in :meth:`run`
        n_steps : int, the length of an input that changes in time
        rng : numpy Generator, int or None
            For the noise, which is drawn when the function is called, so call it step after step.

        Returns
        -------
        callable, t -> (K, N) or (B, K, N) array

        Raises
        ------
        TypeError, ValueError
            another word, arrays of another shape
        CapabilityError
            noise where site parameters have an input as well
        """
        n_steps = integer("n_steps", n_steps)
        if isinstance(input, str):
            if input not in ("noise", "frozen"):
                raise ValueError(f"input must be 'noise', 'frozen' or an array, got {shown(input)}")
            std = self._ensemble.array("input_std")
            if input == "noise" and self._ensemble.array("parameter_input_std").any():
                raise CapabilityError(
                    "input 'noise' is for fields: give site parameters theirs step by step (Network.driven), or use steady_state"
                )
            if input == "frozen" or not std.any():
                generator(rng)  # a bad seed is refused whether it is used or not
                return lambda t: self._input
            rng = generator(rng)
            noisy = (std > 0)[:, None]

            def noise(t):
                return np.where(noisy, std[:, None] * rng.standard_normal(self._input.shape), self._input)

            return noise
        if input is None:
            raise TypeError("input must be 'noise', 'frozen' or an array, got None")
        array = real_array("input", input)
        series = (n_steps, *self._input.shape)
        if array.ndim == len(series):
            if array.shape != series:
                raise ValueError(f"input must have shape {series} where it changes in time, got {array.shape}")
            return lambda t: array[t]
        pattern = self.as_input(array)
        return lambda t: pattern

    def _parameter_sequence(self, parameters: npt.ArrayLike | None, n_steps: int) -> Callable[[int], Network]:
        """The network with the site parameters of every step: a function of the step."""
        if parameters is None:
            return lambda t: self
        array = real_array("parameters", parameters)
        series = (n_steps, *self._parameters.shape)
        if array.ndim == len(series):
            if array.shape != series:
                raise ValueError(f"parameters must have shape {series} where they change in time, got {array.shape}")
            return lambda t: self.driven(parameters=array[t])
        if self._batch is None and array.ndim != 2:
            raise ValueError(f"parameters must have shape {series[1:]} or {series}, got {array.shape}")
        one = self.driven(parameters=array)
        return lambda t: one

    # --- linear algebra around a state

    @underflow_is_zero
    def sites(self, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> Sites:
        """The population of sites at a state, for the random-matrix calculators [T3, T4].

        Every unit counts 1/N; the networks of a batch are pooled. The gains are the ensemble's. Arguments as in :meth:`fields`.

        Returns
        -------
        Sites, ``source`` "sampled network"
        """
        state = self.as_state(state)
        fields = self._fields(state, self.as_input(input))

        size, gain = self._n * (self._batch or 1), self._ensemble.array("gain")
        arrays = (state, fields, self._parameters)
        s, y, p = (np.moveaxis(a, -2, 0).reshape(a.shape[-2], size) for a in arrays)
        weights = np.full(size, 1.0 / size)
        return Sites(self._cell, weights, s, y, p, gain, "sampled network", matrices=self._ensemble.matrices)

    @underflow_is_zero
    def jacobian(self, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> np.ndarray:
        """The Jacobian ds'/ds of one step at a state: exact, from the derivatives of the cell [T2].

        dy_k = U_k (M_s ds + M_y dy)_k, field after field, then J = F_s + F_y dy/ds. Arguments as in :meth:`fields`.

        Returns
        -------
        (d N, d N) or (B, d N, d N) array
            Blocks of N rows and columns in the order of the state variables (LSTM: h, then c).
        """
        state = self.as_state(state)
        fields = self._fields(state, self.as_input(input))
        d, n, K = self._cell.n_state, self._n, self._cell.n_fields
        blocks = self._cell.compiled.blocks(self._rows(state), self._rows(fields), self._rows(self._parameters))
        site = (*self._lead, n)

        def diagonal(name, i, j):
            value = blocks[name].get((i, j))
            return None if value is None else np.broadcast_to(value, site)

        # not a push of the identity: U_k M_s is a scaling of columns here, O(N^2), and would be a product of matrices there
        # dy[k][i]: derivative of field k by state variable i, or None where it is identically zero
        dy: list[list[np.ndarray | None]] = []
        for k in range(K):
            row: list[np.ndarray | None] = [None] * d
            if self._connected[k]:
                matrix = self._matrices[..., k, :, :]
                for i in range(d):
                    total = None
                    direct = diagonal("M_s", k, i)
                    if direct is not None:
                        total = matrix * direct[..., None, :]
                    for j in range(k):
                        through = diagonal("M_y", k, j)
                        if through is not None and dy[j][i] is not None:
                            term = np.matmul(matrix, through[..., :, None] * dy[j][i])
                            total = term if total is None else np.add(total, term, out=total)
                    row[i] = total
            dy.append(row)
        J = np.zeros((*self._lead, d * n, d * n))
        units = np.arange(n)
        for a in range(d):
            for i in range(d):
                block = J[..., a * n : (a + 1) * n, i * n : (i + 1) * n]
                for k in range(K):
                    slope = diagonal("F_y", a, k)
                    if slope is not None and dy[k][i] is not None:
                        block += slope[..., :, None] * dy[k][i]
                own = diagonal("F_s", a, i)
                if own is not None:
                    block[..., units, units] += own
        return J

    @underflow_is_zero
    def push(
        self,
        state: npt.ArrayLike,
        directions: npt.ArrayLike,
        input: npt.ArrayLike | None = None,
        *,
        fields: np.ndarray | None = None,
    ) -> np.ndarray:
        """Derivative of one step along directions: J v without J, exact [T2].

        dy_k = U_k (M_s ds + M_y dy)_k, field after field, then ds' = F_s ds + F_y dy: m matrix-vector products a field.

        Parameters
        ----------
        state : (d, N) array, or flat
        directions : (d, N) or (d, N, m) array, with a batch (B, d, N) or (B, d, N, m)
            Any ds, or m of them. Infinite ones are let through, as they come out of an unstable network.
        input : (K, N) array, optional
            As in :meth:`fields`.
        fields : (K, N) or (B, K, N) array, optional
            Those at the state, where they are known already; ``input`` is then not needed.

        Returns
        -------
        array of the shape of ``directions``

        Raises
        ------
        TypeError, ValueError
            arrays of another shape
        """
        state = self.as_state(state)
        pattern = self.as_input(input)
        if fields is None:
            fields = self._fields(state, pattern)
        else:
            fields = real_numbers("fields", fields)
            if fields.shape != pattern.shape:
                raise ValueError(f"fields must have shape {pattern.shape}, got {fields.shape}")
        directions = real_numbers("directions", directions)
        if directions.shape not in (state.shape, (*state.shape, *directions.shape[-1:])):
            raise ValueError(f"directions must have shape {state.shape} or {(*state.shape, 'm')}, got {directions.shape}")
        if directions.shape == state.shape:
            return self._push(state, fields, directions[..., None])[..., 0]
        return self._push(state, fields, directions)

    def _push(self, state, fields, directions):
        blocks = self._cell.compiled.blocks(self._rows(state), self._rows(fields), self._rows(self._parameters))
        # the m directions are rows, (m, N) for each variable, and so is what is returned, transposed: a frame kept in that order is
        # never copied
        ds = [np.swapaxes(directions[..., i, :, :], -1, -2) for i in range(self._cell.n_state)]
        dy = []
        for k in range(self._cell.n_fields):
            message = _combined(k, (blocks["M_s"], ds), (blocks["M_y"], dy)) if self._connected[k] else None
            # U_k dm_k of columns is dm_k U_k^T of rows
            dy.append(None if message is None else np.matmul(message, np.swapaxes(self._matrices[..., k, :, :], -1, -2)))
        out = np.empty((*self._lead, directions.shape[-1], *state.shape[-2:]))
        for i in range(self._cell.n_state):
            value = _combined(i, (blocks["F_s"], ds), (blocks["F_y"], dy))
            out[..., i, :] = 0.0 if value is None else value
        return np.moveaxis(out, -3, -1)

    @underflow_is_zero
    def eigenvalues(self, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> np.ndarray:
        """Eigenvalues of the Jacobian at a state, in LAPACK's order: complex (d N,) or (B, d N). Arguments as in :meth:`fields`."""
        return self._linear_algebra(np.linalg.eigvals, self.jacobian(state, input)).astype(complex)

    @underflow_is_zero
    def log_det(self, lam: npt.ArrayLike, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> np.ndarray | float:
        """``(1/N) log|det(lambda - J)|`` at a state, by LU: the finite-N counterpart of ``Spectrum.potential``, per unit [T2, T4].

        Parameters
        ----------
        lam : complex number or array, a few values (for many, average ``log|lambda - eigenvalues|``)
        state, input : as in :meth:`fields`

        Returns
        -------
        array of the shape of ``lam`` (a float for a number), with a batch ``(B, *shape of lam)``. -inf at an exact eigenvalue.
        """
        lam = complex_array("lam", lam)
        J = self.jacobian(state, input)
        identity = np.eye(J.shape[-1])
        out = np.empty((*self._lead, lam.size))
        for i, z in enumerate(lam.ravel()):
            shifted = (z.real if z.imag == 0.0 else z) * identity - J
            out[..., i] = self._linear_algebra(np.linalg.slogdet, shifted)[1] / self._n
        out = out.reshape((*self._lead, *lam.shape))
        return out if out.ndim else float(out)

    @underflow_is_zero
    def find_fixed_points(
        self,
        n_starts: int = 64,
        rng: Rng = None,
        *,
        starts: npt.ArrayLike | None = None,
        input: npt.ArrayLike | None = None,
        n_steps: int = 100,
        scale: float = 1.0,
        tol: float = 1e-10,
        slow_tol: float = 1e-2,
        merge: float = 1e-6,
        spectra: bool = True,
        objective: str = "fixed",
    ) -> NetworkFixedPoints:
        """Fixed points of the network, by Newton's method from many starts [T2, T7]; never a proof that all were found.

        The residual is ``s*(y(s)) - s``, with ``s*(y)`` the fixed state of a site at given fields: a shut update gate cannot
        make it small, and fields that set the speed only drop out. Unknowns are the state variables that messages listen to (h:
        N of them for every built-in cell). Every component of a Newton step is held below a cap drawn for the start; the
        residual may rise, which finds more than a descent does. Starts it leaves close to zero go down ``|r|^2`` to the end,
        whatever ``slow_tol`` lets be returned. Where a cell has memories that no message listens to, as the c of an LSTM, they
        are unknowns as well: behind an open forget gate h is a step function of the fields and fixed points lie on the step, at
        moderate c. At first memories with a leak above 0.1 are taken to be at rest, which is faster where sites are gentle;
        starts that fail are tried again without. Where no start at all arrives, the fixed point of uncoupled units is followed
        while the matrices grow to full strength; that path ends at a fixed point if states are bounded (it is given up after 2
        ``n_steps`` tries of a step).

        With ``objective="speed"`` the slow points of the map itself are returned, as fixed-point finders for trained networks
        define them: minima of ``q = |F(s) - s|^2 / 2`` reached by descent from states that the network visits, each with its
        speed and with the time scale of the slowest eigenvalue of the Jacobian there. They differ from fixed points: shut gates
        make q small where nothing is near to rest once a gate opens (there q is flat, too: any visited state counts as a
        minimum), and a minimum above zero is a place that trajectories pass slowly and leave. A point found is called "fixed"
        only if the gate-free residual vanishes too. Their number is not checked by a degree.

        Parameters
        ----------
        n_starts : int >= 0
            The first is zero; the others are normal with standard deviations log-uniform in (0.1, 3) times ``scale``, every second
            one then moved: up to 30 steps along the gate-free map, with memories up to 60 steps of the network. For the objective
            "speed" all are moved 1 to 60 steps of the network.
        rng : numpy Generator, int or None
        starts : (n, d, N) or (d, N) array, optional
            States to start from as well, before the others, as they are: for trained networks states that were visited on real
            inputs. They count in ``hits`` and so bear on ``n_missing``.
        input : (K, N) array, optional
            As in :meth:`fields`.
        n_steps : int >= 1, Newton steps per start (steps of the descent for the objective "speed")
        scale : float > 0, in units of the state
        tol : float in (0, 1e-3]
            A point is fixed where ``residual`` (see :class:`NetworkFixedPoints`) is below.
        slow_tol : float >= 0
            Local minima of ``|s*(y(s)) - s|`` (of ``|s' - s|``) whose largest component is below are returned, labelled "slow".
            0: none. Descents above 0.1 are given up when they become slow, so that not all minima above are found.
        merge : float > 0
            Points that differ by at most this in every component that messages listen to are one; slow ones, whose minima are
            flat, by at most 1e-3 (memories m, for the objective "speed", on the scale ``m/(1 + |m|)``).
        spectra : bool
            Eigenvalues at every fixed point, O((d N)^3) each.
        objective : "fixed" or "speed"

        Returns
        -------
        NetworkFixedPoints

        Raises
        ------
        TypeError, ValueError
            arguments out of range, no starts at all
        CapabilityError
            a batch of networks

        Notes
        -----
        Slow points of the objective "fixed", and starts that are moved along the gate-free map, take for a site
        without a closed-form fixed point the one reached from s = 0.

        Examples
        --------
        >>> import gating_theory as gt
        >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0.5), 20, rng=0)
        >>> found = net.find_fixed_points(rng=0)
        >>> len(found.states), found.spectral_radius.round(2)  # the zero state alone
        (1, array([0.5]))
        """
        from .fixed_points import SearchOptions, search

        options = SearchOptions(n_starts, n_steps, scale, tol, slow_tol, merge, spectra, objective)
        return search(self, options, rng, starts=starts, input=input)

    @underflow_is_zero
    def check_jacobian(
        self,
        state: npt.ArrayLike,
        rng: Rng = None,
        input: npt.ArrayLike | None = None,
        n_directions: int = 4,
    ) -> float:
        """Compare J v with sixth-order finite differences of :meth:`step` along random directions v; the largest relative error.

        Relative to the largest entry of ``|J v|`` or 1. Rounding leaves about 1e-12; meaningless at kinks (ReLU).

        Parameters
        ----------
        state, input : as in :meth:`fields`
        rng : numpy Generator, int or None
        n_directions : int >= 1

        Returns
        -------
        float
        """
        state, pattern, rng = self.as_state(state), self.as_input(input), generator(rng)
        J = self.jacobian(state, pattern)
        stencil = {1: 0.75, 2: -0.15, 3: 1.0 / 60.0}
        worst = 0.0
        for _ in range(integer("n_directions", n_directions, low=1)):
            v = rng.standard_normal(state.shape)
            exact = np.matmul(J, v.reshape(*self._lead, -1, 1)).reshape(state.shape)
            # two steps, the better of the two counts at every unit, as in Cell.check_jacobian
            errors = []
            for h in (1e-3, 1e-5):
                moved = [
                    w * (self.step(state + m * h * v, pattern) - self.step(state - m * h * v, pattern)) for m, w in stencil.items()
                ]
                errors.append(np.abs(sum(moved) / h - exact))
            worst = max(worst, float(np.max(np.minimum(*errors)) / max(1.0, float(np.max(np.abs(exact))))))
        return worst

    def _linear_algebra(self, function, matrix):
        if matrix.shape[-1] > _SMALL:
            return function(matrix)
        with single_blas_thread():
            return function(matrix)


def _combined(row, *terms):
    """Sum over (block, parts) and j of block[row, j] parts[j], parts (m, N) or (B, m, N); None is 0."""
    total, owned = None, False
    for block, parts in terms:
        for j, part in enumerate(parts):
            slope = block.get((row, j))
            if slope is None or part is None:
                continue
            one = np.ndim(slope) == 0 and slope == 1  # most messages are the state itself
            term = part if one else part * (slope[:, None] if np.ndim(slope) == 2 else slope)
            if total is None:
                total, owned = term, not one
            else:
                total, owned = np.add(total, term, out=total if owned else None), True
    return total


def _owned(array):
    """The array, read-only: copied unless it already is (fresh gigabytes are locked by whoever drew them, not copied)."""
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array
