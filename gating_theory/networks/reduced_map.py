"""The reduced fixed-point equations of networks, Phi(x) = x, and the sign and size of their derivative [T2, T7].

At a fixed point every site sits at the fixed state s*(y) of its fields, so the equations are those of the map

    x -> fields y(x), one after the other -> Phi(x) = s*(y(x)),        r(x) = Phi(x) - x,

where x are the state variables that messages listen to (one in all built-in cells but KCS: N unknowns, also for the LSTM). A shut
update gate multiplies the step s' - s by 1 - z and would make anything look like a fixed point; r never carries that factor, and
fields that set the speed only (the GRU's z) do not enter at all. det(1 - dPhi/dx) is the det(1 - W(1) U) of the theory sheet.

Points of several networks of one cell are evaluated together: x (B, m, N) comes with ``which`` (B,), the network of each.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import ConvergenceError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..cell.cell import Cell

__all__ = ["GivenNetwork", "ReducedMap", "applied", "over", "size", "solve"]

#: Bytes of the matrices that are factored at a time: what stays in the cache while it is assembled and decomposed.
_BLOCK = 1e6


#: Fields at which the size of states is probed: powers of ten, how many, from where on they are large; the bound is that much above
#: the largest value found.
_PROBED, _PROBES, _LARGE, _MARGIN = (-2.0, 4.0), 600, 100.0, 1.01

#: Climbing from the best probe: relative widths of one round after the other, and fields tried in each.
_WIDTHS, _CLIMBERS = tuple(0.7 ** np.arange(20)), 16


class GivenNetwork(Protocol):
    """What these equations and the searches of their solutions take of a Network, which stands on them and cannot be named here."""

    @property
    def cell(self) -> Cell:
        """The cell."""

    @property
    def n_units(self) -> int:
        """N, the number of units."""

    @property
    def batch(self) -> int | None:
        """B, the number of networks, or None."""

    @property
    def matrices(self) -> np.ndarray:
        """(K, N, N) or (B, K, N, N) array."""

    @property
    def biases(self) -> np.ndarray:
        """(K, N) or (B, K, N) array."""

    @property
    def parameters(self) -> np.ndarray:
        """(P, N) or (B, P, N) array."""

    def as_input(self, input: npt.ArrayLike | None) -> np.ndarray:
        """The input pattern."""

    def eigenvalues(self, state: npt.ArrayLike, input: npt.ArrayLike | None = None) -> np.ndarray:
        """Eigenvalues of the Jacobian."""


@lru_cache(maxsize=64)
class _SiteMap:
    """What the reduced map needs of a cell: which variables and fields matter, and compiled derivatives."""

    def __init__(self, cell):
        import sympy as sp

        from ..cell import symbolic
        from ..cell.numpy_code import SparseBlocks

        self.cell = cell
        self.bound = None  # of the states of cells without site parameters, once probed
        heard = set().union(*(m.free_symbols for m in cell.messages))
        self.kept = [i for i, s in enumerate(cell.state) if s in heard] or list(range(cell.n_state))
        d, K = cell.n_state, cell.n_fields
        pole = None
        if cell.closed_form is not None:
            # the derivative of the closed form: exact at any saturation, and fields that only set the speed are absent
            forms = [cell.closed_form[cell.state[i]] for i in self.kept]
            slopes = sp.Matrix([[symbolic.stable_form(sp.diff(form, y)) for y in cell.fields] for form in forms])
        else:
            # ds*/dy = (1 - F_s)^-1 F_y, as adjugate and determinant so that small leaks are not subtracted from 1
            head, back = symbolic.placeholders(symbolic.stable_form(sp.eye(d) - cell.F_s), "A")
            right, more = symbolic.placeholders(symbolic.stable_form(cell.F_y), "B")
            back |= more
            slopes = (head.adjugate() * right)[self.kept, :].xreplace(back)
            pole = head.det(method="berkowitz").xreplace(back)
        needed = {k for k in range(K) if any(slopes[i, k] != 0 for i in range(len(self.kept)))}
        while True:
            more = {j for k in needed for j in range(k) if cell.fields[j] in cell.messages[k].free_symbols} - needed
            if not more:
                break
            needed |= more
        self.needed = sorted(needed)
        arguments = [*cell.state, *cell.fields, *cell.parameters]
        matrices = {"slopes": slopes} | ({} if pole is None else {"pole": sp.Matrix([[pole]])})
        self.slopes = SparseBlocks(arguments, matrices)
        only = [[cell.M_s[k, i] if k in needed else 0 for i in range(d)] for k in range(K)]
        before = [[cell.M_y[k, j] if k in needed else 0 for j in range(K)] for k in range(K)]
        blocks = {"M_s": symbolic.stable_form(sp.Matrix(only)), "M_y": symbolic.stable_form(sp.Matrix(before))}
        self.messages = SparseBlocks(arguments, blocks)


class ReducedMap:
    """x -> Phi(x) of one network or several: its residual and its Jacobian [T2].

    Parameters
    ----------
    net : Network, a single one or a batch
    pattern : (K, N) or (batch, K, N) array, the frozen input I_k
    """

    def __init__(self, net: GivenNetwork, pattern: np.ndarray) -> None:
        self.cell = net.cell
        self.site = _SiteMap(net.cell)
        single = net.batch is None
        self.matrices = net.matrices[None] if single else net.matrices
        self.constant = (net.biases + pattern)[None] if single else net.biases + pattern
        self.parameters = net.parameters[None] if single else net.parameters
        self.connected = [bool(self.matrices[:, k].any()) for k in range(net.cell.n_fields)]
        self.n_networks = len(self.matrices)
        self.m, self.n_units = len(self.site.kept), net.n_units
        self.n = self.m * self.n_units
        self.n_jacobians = 0  # computed so far: the measure of work

    def _of(self, array, which):
        """Entries of an array (networks, ...) for each point; one network is left to broadcasting."""
        return array if self.n_networks == 1 else array[which]

    def matrix(self, k: int, which: np.ndarray) -> np.ndarray:
        """(N, N) matrix of field k where there is one network, else (B, N, N), for each point."""
        return self.matrices[0, k] if self.n_networks == 1 else self.matrices[which, k]

    def constant_of(self, which: np.ndarray) -> np.ndarray:
        """(B or 1, K, N) array: the part of the fields that does not depend on the state, biases and input."""
        return self._of(self.constant, which)

    def _parameters_of(self, which):
        return list(np.moveaxis(self._of(self.parameters, which), 1, 0))

    def blocks(self, count: int) -> list[slice]:
        """Slices that cut ``count`` points so that the matrices of one slice stay in the cache."""
        length = max(1, int(_BLOCK / (8 * self.n**2)))
        return [slice(start, start + length) for start in range(0, count, length)]

    def fields(
        self, x: np.ndarray, which: np.ndarray, all: bool = False, matrices: dict[int, np.ndarray] | None = None
    ) -> tuple[list, list[np.ndarray], list[np.ndarray]]:
        """Fields as a list of (B, N) arrays; those that Phi does not need stay 0 unless ``all``. Also the state rows used."""
        rows = [0.0] * self.cell.n_state
        for place, i in enumerate(self.site.kept):
            rows[i] = x[:, place]
        shape = (x.shape[0], self.n_units)
        parameters = self._parameters_of(which)
        constant = self.constant_of(which)
        y = [np.zeros(shape) for _ in range(self.cell.n_fields)]
        messages: dict[int, np.ndarray] = {}  # fields that hear the same message hear it once
        for k in range(self.cell.n_fields) if all else self.site.needed:
            if not self.connected[k]:
                y[k] = over(constant[:, k], shape)
                continue
            name = self.cell.message_of[k]
            if name not in messages:
                messages[name] = over(self.cell.compiled.message(k, rows, y, parameters), shape)
            y[k] = constant[:, k] + applied(self.matrix(k, which) if matrices is None else matrices[k], messages[name])
        return rows, y, parameters

    def fixed_state(self, y: list[np.ndarray], parameters: list[np.ndarray]) -> np.ndarray:
        """(B, d, N) fixed states of the sites; not a number where a site has none."""
        shape = y[0].shape
        parameters = [np.broadcast_to(p, shape) for p in parameters]
        try:
            values = self.cell.compiled.fixed_state(y, parameters)
            bad = None
        except ConvergenceError as error:
            values = list(error.estimate)
            again = self.cell.compiled.update(values, y, parameters)
            bad = sum(~(np.abs(a - s) <= 1e-11 * (1.0 + np.abs(s))) for a, s in zip(again, values)) > 0
        out = np.stack([np.broadcast_to(v, shape) for v in values], axis=1)
        if bad is not None:
            out[np.broadcast_to(bad[:, None], out.shape)] = np.nan
        return out

    def residual(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Phi(x) - x, (B, m, N), for points x (B, m, N) of the networks ``which`` (B,)."""
        out = np.empty_like(x)
        with np.errstate(all="ignore"):
            for part in self.blocks(len(x)):
                _, y, parameters = self.fields(x[part], which[part])
                out[part] = self.fixed_state(y, parameters)[:, self.site.kept] - x[part]
        return out

    def jacobian(self, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residual (B, m N) and its derivative by x, (B, m N, m N)."""
        self.n_jacobians += len(x)
        with np.errstate(all="ignore"):
            return self._jacobian(x, which)

    def newton_step(self, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest |r| (B,) and the Newton step -J^-1 r (B, m, N) at points x, cut into blocks that the cache can hold."""
        error, step = np.empty(len(x)), np.empty_like(x)
        for part in self.blocks(len(x)):
            r, J = self.jacobian(x[part], which[part])
            error[part] = size(r)
            step[part] = -solve(J, r[:, :, None]).reshape(x[part].shape)
        return error, step

    def error(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """(B,) how far points are from being fixed: the largest |r|."""
        return size(self.residual(x, which))

    def heard_of(self, x: np.ndarray) -> np.ndarray:
        """The heard variables of points: they are that."""
        return x

    @property
    def shape(self) -> tuple[int, int]:
        """(m, N), the shape of a point."""
        return self.m, self.n_units

    def from_heard(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Points with the heard variables x: they are that."""
        return x

    def completed(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """The full states of points, (B, d, N)."""
        return self.complete(x, which)

    def moved(self, x: np.ndarray, step: np.ndarray, caps: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        """Points x after steps cut down to the caps (B,), in units of the largest of 1 and the rms of x, and held in +-bounds."""
        rms = np.sqrt(np.mean(x**2, axis=(1, 2)))
        cap = (caps * np.maximum(1.0, rms))[:, None, None]
        return np.clip(x + np.clip(step, -cap, cap), -bounds, bounds)

    def index(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """(B,) sign of det(1 - dPhi/dx); 0 within rounding of a fold."""
        sign = np.zeros(len(x), dtype=int)
        for part in self.blocks(len(x)):
            _, J = self.jacobian(x[part], which[part])
            s, log = np.linalg.slogdet(-J)
            sign[part] = np.where(np.isfinite(log), s, 0).astype(int)
        return sign

    def _jacobian(self, x, which):
        matrices = self.matrices_of(which)
        rows, y, parameters = self.fields(x, which, matrices=matrices)
        state = self.fixed_state(y, parameters)
        residual = (state[:, self.site.kept] - x).reshape(len(x), self.n)
        slopes = self.site.slopes(*state.swapaxes(0, 1), *y, *parameters)
        if "pole" in slopes:
            pole = slopes["pole"][0, 0]
            slopes["slopes"] = {key: value / pole for key, value in slopes["slopes"].items()}
        blocks = self.site.messages(*rows, *y, *parameters)
        return residual, self.chained(slopes["slopes"], self.field_slopes(blocks, matrices, len(x)), len(x))

    def matrices_of(self, which: np.ndarray) -> dict[int, np.ndarray]:
        """{field: (N, N) or (B, N, N) array} of the fields that Phi needs and that have a matrix."""
        return {k: self.matrix(k, which) for k in self.site.needed if self.connected[k]}

    def field_slopes(self, blocks: dict, matrices: dict[int, np.ndarray], count: int) -> dict[tuple[int, int], np.ndarray]:
        """dy_k/dx_i of ``count`` points as {(k, i): (B, N, N) array}, field after field, from the slopes of messages M_s, M_y."""
        n = self.n_units

        def columns(matrix, value):  # matrix diag(value)
            if np.ndim(value) == 0:  # most messages are the state itself
                return matrix if value == 1 else matrix * value
            return matrix * over(value, (count, n))[:, None, :]

        dy: dict[tuple[int, int], np.ndarray] = {}
        for k, matrix in matrices.items():
            for place, i in enumerate(self.site.kept):
                total = columns(matrix, blocks["M_s"][k, i]) if (k, i) in blocks["M_s"] else None
                for j in matrices:
                    if (k, j) in blocks["M_y"] and (j, place) in dy:
                        inner = over(blocks["M_y"][k, j], (count, n))[:, :, None] * dy[j, place]
                        term = np.matmul(matrix, inner)
                        total = term if total is None else total + term
                if total is not None:
                    dy[k, place] = total
        return dy

    def chained(self, slopes: dict, dy: dict[tuple[int, int], np.ndarray], count: int) -> np.ndarray:
        """(B, m N, m N) matrices slopes dy - 1, from {(unknown, field): slope} and {(field, unknown): dy}."""
        n = self.n_units
        J = np.zeros((count, self.m * n, self.m * n))
        fresh = {(a, i) for a in range(self.m) for i in range(self.m)}
        for (a, k), slope in slopes.items():
            slope = over(slope, (count, n))[:, :, None]
            for i in range(self.m):
                if (k, i) in dy:
                    block = J[:, a * n : (a + 1) * n, i * n : (i + 1) * n]
                    if (a, i) in fresh:
                        fresh.remove((a, i))
                        np.multiply(slope, dy[k, i], out=block)
                    else:
                        block += slope * dy[k, i]
        J[:, range(self.m * n), range(self.m * n)] -= 1.0
        return J

    def complete(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """The full states (B, d, N) of points x."""
        with np.errstate(all="ignore"):
            _, y, parameters = self.fields(x, which, all=True)
            state = self.fixed_state(y, parameters)
        state[:, self.site.kept] = x
        return state

    def bounds(self) -> np.ndarray:
        """(networks, m, 1) largest |s*| of the unknowns at any fields, probed; infinite where it grows with the fields.

        Fields are probed at random on all scales between 1e-2 and 1e4, each field on a scale of its own, so that no symmetry of the
        cell (sin(pi y) vanishes at all whole numbers) hides it; the largest values found are climbed from. What is more than
        5 % larger at fields above 100 than at all below is taken to grow without bound.
        """
        shape = (self.n_networks, self.m, 1)
        if self.cell.closed_form is None:
            return np.full(shape, np.inf)
        # fields are arbitrary here, so that networks differ by their site parameters only
        if self.parameters.shape[1]:
            return np.stack([self._bound(parameters) for parameters in self.parameters])[:, :, None]
        if self.site.bound is None:
            self.site.bound = self._bound(np.zeros((0, 1)))
        return np.broadcast_to(self.site.bound[:, None], shape).copy()

    def _bound(self, parameters):
        rng = np.random.default_rng(0)
        shape = (self.cell.n_fields, _PROBES)
        y = 10.0 ** rng.uniform(*_PROBED, shape) * rng.choice([-1.0, 1.0], shape)
        low = np.abs(y).max(axis=0) < _LARGE
        near, far = (self._largest(y[:, side], parameters) for side in (low, ~low))
        margin = np.where(near == far, 1.0, _MARGIN)  # where states saturate the bound is met exactly
        return np.where(far <= 1.05 * near, margin * np.maximum(near, far), np.inf)

    def _largest(self, y, parameters):
        """(m,) largest |s*| at fields y (K, n), at all sites with the parameters (P, N), and near the best of these."""
        K, n = y.shape
        count = parameters.shape[1]
        values = self._sizes(np.repeat(y, count, axis=1), np.tile(parameters, n))
        largest = np.empty(self.m)
        for a in range(self.m):
            rng = np.random.default_rng(0)
            best = int(np.argmax(values[a]))
            at, site, top = y[:, best // count], parameters[:, [best % count]], values[a, best]
            for width in _WIDTHS:
                trial = at[:, None] * (1.0 + width * rng.standard_normal((K, _CLIMBERS)))
                size = self._sizes(trial, np.repeat(site, _CLIMBERS, axis=1))[a]
                if size.max() > top:
                    at, top = trial[:, int(np.argmax(size))], size.max()
            largest[a] = top
        return largest

    def _sizes(self, y, parameters):
        with np.errstate(all="ignore"):
            value = np.abs(self.fixed_state([row[None] for row in y], [row[None] for row in parameters])[0, self.site.kept])
        return np.where(np.isnan(value), 0.0, value)

    def odd(self) -> np.ndarray:
        """(networks,) whether Phi(-x) = -Phi(x), so that fixed points come in pairs: probed at points of several sizes.

        Phi is analytic where messages and updates are, so what holds at random points holds everywhere. Small ones are there
        because saturated sites forget a small bias.
        """
        rng = np.random.default_rng(0)
        odd = np.ones(self.n_networks, dtype=bool)
        for scale in (0.0, 1e-3, 1.0):
            x = np.broadcast_to(scale * rng.standard_normal((self.m, self.n_units)), (self.n_networks, self.m, self.n_units))
            networks = np.arange(self.n_networks)
            there, back = self.residual(x, networks) + x, self.residual(-x, networks) - x
            odd &= size(there + back) < 1e-12 * (1e-3 + np.abs(there).max(axis=(1, 2)))
        return odd


def over(value: npt.ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """The value at all sites; by numpy's broadcast_to, which takes longer than a small network's arithmetic, only where need be."""
    return value if isinstance(value, np.ndarray) and value.shape == shape else np.broadcast_to(value, shape)


def applied(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """A matrix (N, N), or one (B, N, N) for each, times vectors (B, N)."""
    return vector @ matrix.T if matrix.ndim == 2 else np.matmul(matrix, vector[:, :, None])[:, :, 0]


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Batched solve (B, n, n), (B, n, k); singular systems get a tiny shift, broken ones a zero solution."""
    try:
        with np.errstate(all="ignore"):
            out = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        good = np.isfinite(matrix).all(axis=(1, 2))[:, None, None]
        matrix = np.where(good, matrix, np.eye(matrix.shape[1]))
        shift = np.random.default_rng(0).standard_normal(matrix.shape) * 1e-12
        shift *= np.abs(matrix).max(axis=(1, 2))[:, None, None] + 1e-300
        out = np.linalg.solve(matrix + shift, right)
        out[~good[:, 0, 0]] = 0.0
    out[~np.isfinite(out)] = 0.0
    return out


def size(residual: np.ndarray) -> np.ndarray:
    """(B,) largest |residual|, infinite where it is not a number."""
    largest = np.abs(residual).max(axis=tuple(range(1, residual.ndim)))
    return np.where(np.isfinite(largest), largest, np.inf)
