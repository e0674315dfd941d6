"""Fixed points of one given network, by Newton's method from many starts on a residual that no gate can make small [T2, T7].

At a fixed point every site sits at the fixed state s*(y) of its fields, so the equations are those of the map

    x -> fields y(x), one after the other -> Phi(x) = s*(y(x)),        r(x) = Phi(x) - x,

where x are the state variables that messages listen to (h alone in all built-in cells: N unknowns, also for the LSTM). A shut
update gate multiplies the step s' - s by 1 - z and would make anything look like a fixed point; r never carries that factor, and
fields that set the speed only (the GRU's z) do not enter at all. det(1 - dPhi/dx) is the det(1 - W(1) U) of the theory sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from .checks import generator, integer, real, real_array
from .errors import CapabilityError, ConvergenceError

__all__ = ["NetworkFixedPoints"]

#: Bytes that the Jacobians of one chunk of starts may take together.
_MEMORY = 2.5e8

#: Random starts: amplitudes, and steps along the relaxed map x -> x + a (Phi(x) - x) that every second one is first moved.
_AMPLITUDES, _RELAXED_STEPS = (0.1, 3.0), 30

#: Largest change of an unknown in one Newton step, drawn for each start, in units of the largest of 1 and the rms state.
_CAPS = (0.08, 0.5)

#: Levenberg-Marquardt steps for a start that Newton leaves, and the residual above which it is given up.
_DESCENT_STEPS, _PROMISING = 60, 0.1

#: |J^T r| / |r| below which |r| counts as minimal.
_FLAT = 1e-5


@dataclass(frozen=True)
class NetworkFixedPoints:
    """What a search for the fixed points of one network found: distinct points, how often each was reached, what is missing.

    Points are ordered: fixed before slow, fixed points by how often they were reached, slow ones by their residual.

    Attributes
    ----------
    states : (n_points, d, N) array
    label : (n_points,) array of str
        "fixed": the largest gate-free residual is below ``tol``. "slow": a local minimum of the Euclidean norm of the residual
        that is not zero, with largest residual below ``slow_tol``: a place where the gate-free map creeps.
    residual : (n_points,) array
        max |s*(y(s)) - s| over sites and the state variables that messages listen to; free of the factor 1 - z of a step.
    hits : (n_points,) array of int
        How many starts ended there; 0 for points added as mirror images.
    mirrored : (n_points,) array of bool
        True where the point was not reached itself but is the negative of one that was, in a network that is odd.
    index : (n_points,) array of int
        Sign of det(1 - dPhi/dx), the index of the fixed point (0 for slow points and within rounding of a fold).
    spectral_radius : (n_points,) array or None
        Largest |eigenvalue| of ``Network.jacobian`` at fixed points, nan at slow ones; None without ``spectra``.
    n_unstable : (n_points,) array of int or None
        Number of eigenvalues with modulus above 1, -1 at slow points; None without ``spectra``.
    n_starts, n_failed : int
        Starts in all, and those that ended at no point.
    n_missing : float
        Chao's lower-bound estimate of the number of fixed points not found, f1^2 / (2 f2) with f1, f2 the numbers of points reached
        once and twice; f1 (f1 - 1) / 2 where f2 = 0. In an odd network pairs +-s are what is counted. An estimate: it takes the
        starts for independent draws, and knows nothing of points that hardly any start converges to. Infinite where fewer than two
        starts reached a fixed point.
    degree : int
        Sum of the indices of the fixed points.
    complete_degree : int or None
        What ``degree`` is when no fixed point is missing: 1 where the states are bounded, None where they are not. Another
        value proves that some are missing; this value proves nothing.
    odd : bool
        Whether Phi(-x) = -Phi(x), so that fixed points come in pairs.
    tol, slow_tol, merge : float, as asked for
    status : str
    """

    states: np.ndarray
    label: np.ndarray
    residual: np.ndarray
    hits: np.ndarray
    mirrored: np.ndarray
    index: np.ndarray
    spectral_radius: np.ndarray | None
    n_unstable: np.ndarray | None
    n_starts: int
    n_failed: int
    n_missing: float
    degree: int
    complete_degree: int | None
    odd: bool
    tol: float
    slow_tol: float
    merge: float
    status: str

    @property
    def fixed(self):
        """(n_fixed, d, N) array: the states of the points labelled "fixed"."""
        return self.states[self.label == "fixed"]

    @property
    def slow(self):
        """(n_slow, d, N) array: the states of the points labelled "slow"."""
        return self.states[self.label == "slow"]

    def __len__(self):
        return len(self.label)

    def as_dict(self):
        """JSON-ready: every attribute by name, arrays as lists."""
        out = {"kind": "network_fixed_points"}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            out[name] = value.tolist() if isinstance(value, np.ndarray) else value
        return out

    def __str__(self):
        lines = [self.status]
        for i in range(len(self)):
            line = f"  {self.label[i]:5s}  residual {self.residual[i]:.1e}  rms {np.sqrt(np.mean(self.states[i] ** 2)):.4g}"
            line += "  mirror image" if self.mirrored[i] else f"  reached {self.hits[i]} times"
            if self.spectral_radius is not None and self.label[i] == "fixed":
                line += f"  radius {self.spectral_radius[i]:.5g}, {self.n_unstable[i]} unstable"
            lines.append(line)
        return "\n".join(lines)


@lru_cache(maxsize=64)
class _SiteMap:
    """What the reduced map needs of a cell: which variables and fields matter, and compiled derivatives."""

    def __init__(self, cell):
        import sympy as sp

        from . import derive
        from .compiled import SparseBlocks

        self.cell = cell
        heard = set().union(*(m.free_symbols for m in cell.messages))
        self.kept = [i for i, s in enumerate(cell.state) if s in heard] or list(range(cell.n_state))
        d, K = cell.n_state, cell.n_fields
        pole = None
        if cell.closed_form is not None:
            # the derivative of the closed form: exact at any saturation, and fields that only set the speed are absent
            forms = [cell.closed_form[cell.state[i]] for i in self.kept]
            slopes = sp.Matrix([[derive.stable_form(sp.diff(form, y)) for y in cell.fields] for form in forms])
        else:
            # ds*/dy = (1 - F_s)^-1 F_y, as adjugate and determinant so that small leaks are not subtracted from 1
            head, back = derive._placeholders(derive.stable_form(sp.eye(d) - cell.F_s), "A")
            right, more = derive._placeholders(derive.stable_form(cell.F_y), "B")
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
        only = [[cell.M_s[k, i] if k in needed else 0 for i in self.kept] for k in range(K)]
        before = [[cell.M_y[k, j] if k in needed else 0 for j in range(K)] for k in range(K)]
        blocks = {"M_s": derive.stable_form(sp.Matrix(only)), "M_y": derive.stable_form(sp.Matrix(before))}
        self.messages = SparseBlocks(arguments, blocks)


class _ReducedMap:
    """x -> Phi(x) of one network, for batches x of shape (B, m, N), its residual and its Jacobian [T2]."""

    def __init__(self, net, pattern):
        self.net, self.cell = net, net.cell
        self.site = _SiteMap(net.cell)
        self.constant = net.biases + pattern
        self.parameters = list(net.parameters)
        self.connected = [bool(u.any()) for u in net.matrices]
        self.m, self.n_units = len(self.site.kept), net.n_units
        self.n = self.m * self.n_units

    def fields(self, x, all=False):
        """Fields as a list of (B, N) arrays; those that Phi does not need stay 0 unless ``all``. Also the state rows used."""
        rows = [0.0] * self.cell.n_state
        for place, i in enumerate(self.site.kept):
            rows[i] = x[:, place]
        shape = (x.shape[0], self.n_units)
        y = [np.zeros(shape) for _ in range(self.cell.n_fields)]
        for k in range(self.cell.n_fields) if all else self.site.needed:
            y[k] = np.broadcast_to(self.constant[k], shape)
            if self.connected[k]:
                message = np.broadcast_to(self.cell.compiled.message(k, rows, y, self.parameters), shape)
                y[k] = y[k] + message @ self.net.matrices[k].T
        return rows, y

    def fixed_state(self, y):
        """(B, d, N) fixed states of the sites; not a number where a site has none."""
        shape = y[0].shape
        parameters = [np.broadcast_to(p, shape) for p in self.parameters]
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

    def residual(self, x):
        """Phi(x) - x, (B, m, N)."""
        with np.errstate(all="ignore"):
            _, y = self.fields(x)
            return self.fixed_state(y)[:, self.site.kept] - x

    def jacobian(self, x):
        """Residual (B, m N) and its derivative by x, (B, m N, m N)."""
        with np.errstate(all="ignore"):
            return self._jacobian(x)

    def _jacobian(self, x):
        B, n = x.shape[0], self.n_units
        rows, y = self.fields(x)
        state = self.fixed_state(y)
        residual = (state[:, self.site.kept] - x).reshape(B, -1)
        slopes = self.site.slopes(*state.swapaxes(0, 1), *y, *self.parameters)
        if "pole" in slopes:
            pole = slopes["pole"][0, 0]
            slopes["slopes"] = {key: value / pole for key, value in slopes["slopes"].items()}
        blocks = self.site.messages(*rows, *y, *self.parameters)

        def columns(matrix, value):  # matrix diag(value), one matrix for the whole batch where the value is a constant
            return matrix * value if np.ndim(value) == 0 else matrix * np.broadcast_to(value, (B, n))[:, None, :]

        J = np.zeros((B, self.m * n, self.m * n))
        dy = {}
        for k in self.site.needed:
            if not self.connected[k]:
                continue
            matrix = self.net.matrices[k]
            for i in range(self.m):
                total = columns(matrix, blocks["M_s"][k, i]) if (k, i) in blocks["M_s"] else None
                for j in self.site.needed:
                    if (k, j) in blocks["M_y"] and (j, i) in dy:
                        inner = np.broadcast_to(blocks["M_y"][k, j], (B, n))[:, :, None] * dy[j, i]
                        term = np.matmul(matrix, inner)
                        total = term if total is None else total + term
                if total is not None:
                    dy[k, i] = total
        for (a, k), slope in slopes["slopes"].items():
            slope = np.broadcast_to(slope, (B, n))[:, :, None]
            for i in range(self.m):
                if (k, i) in dy:
                    J[:, a * n : (a + 1) * n, i * n : (i + 1) * n] += slope * dy[k, i]
        units = np.arange(self.m * n)
        J[:, units, units] -= 1.0
        return residual, J

    def complete(self, x):
        """The full states (B, d, N) of points x."""
        with np.errstate(all="ignore"):
            _, y = self.fields(x, all=True)
            state = self.fixed_state(y)
        state[:, self.site.kept] = x
        return state

    def bounds(self):
        """(m, 1) largest |s*| of the unknowns at any fields, probed; infinite where it grows with the fields."""
        if self.cell.closed_form is None:
            return np.full((self.m, 1), np.inf)
        largest = []
        for scale in (15.0, 40.0):
            grid = scale * np.array(list(product((-1.0, 0.0, 1.0), repeat=self.cell.n_fields))).T
            y = [np.repeat(row[:, None], self.n_units, axis=1) for row in grid]
            with np.errstate(all="ignore"):
                largest.append(np.abs(self.fixed_state(y)[:, self.site.kept]).max(axis=(0, 2)))
        return np.where(largest[1] <= 1.05 * largest[0], largest[1], np.inf)[:, None]


def _solve(matrix, right):
    """Batched solve (B, n, n), (B, n); singular systems get a tiny shift, broken ones a zero step."""
    good = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    out = np.zeros_like(right)
    if good.any():
        A, b = (matrix, right) if good.all() else (matrix[good], right[good])
        try:
            out[good] = np.linalg.solve(A, b[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            scale = np.abs(A).max(axis=(1, 2))[:, None, None] + 1e-300
            shift = np.random.default_rng(0).standard_normal(A.shape) * 1e-12
            out[good] = np.linalg.solve(A + scale * shift, b[:, :, None])[:, :, 0]
    out[~np.isfinite(out)] = 0.0
    return out


def _size(residual):
    """(B,) largest |residual|, infinite where it is not a number."""
    size = np.abs(residual).max(axis=tuple(range(1, residual.ndim)))
    return np.where(np.isfinite(size), size, np.inf)


def _newton(reduced, x, caps, bounds, tol, n_steps):
    """Newton with every component of a step held below the start's cap; the residual may rise. Returns points and residuals.

    Of each start the best point met is returned: the fixed point where it converged.
    """
    x = x.copy()
    best, least = np.zeros_like(x), np.full(len(x), np.inf)
    active = np.arange(len(x))
    for step in range(n_steps + 1):
        here = x[active]
        if step == n_steps:
            residual = reduced.residual(here)
        else:
            residual, J = reduced.jacobian(here)
        size = _size(residual)
        better = size < least[active]
        best[active[better]], least[active[better]] = here[better], size[better]
        lost = ~np.isfinite(size)  # a site without a fixed state: half-way back to the best point, or to zero
        x[active[lost]] = 0.5 * (here[lost] + best[active[lost]])
        go = size >= tol
        if step == n_steps or not go.any():
            break
        if not go.all():
            active, here, residual, J, lost = active[go], here[go], residual[go], J[go], lost[go]
        if lost.any():
            move = active[~lost]
            here, residual, J = here[~lost], residual[~lost], J[~lost]
        else:
            move = active
        change = -_solve(J, residual).reshape(here.shape)
        rms = np.sqrt(np.mean(here**2, axis=(1, 2)))
        cap = (caps[move] * np.maximum(1.0, rms))[:, None, None]
        x[move] = np.clip(here + np.clip(change, -cap, cap), -bounds, bounds)
    return best, least


def _descend(reduced, x, tol, slow_tol):
    """Levenberg-Marquardt down |r|^2 with rejection of steps that do not descend: points, residuals, |J^T r| / |r|."""
    x = x.copy()
    B, n = len(x), reduced.n
    residual, J = reduced.jacobian(x)
    damping = 1e-2 * np.ones(B)
    flat, slowly = np.full(B, np.inf), np.zeros(B, dtype=int)
    active = np.arange(B)
    for _ in range(_DESCENT_STEPS):
        r, A = residual[active], J[active]
        gradient = np.matmul(A.swapaxes(1, 2), r[:, :, None])[:, :, 0]
        norm = np.linalg.norm(r, axis=1)
        flat[active] = np.linalg.norm(gradient, axis=1) / np.maximum(norm, 1e-300)
        keep = (_size(r) >= tol) & (flat[active] > _FLAT) & (damping[active] < 1e8)
        keep &= (_size(r) < slow_tol) | (slowly[active] < 5)
        if not keep.any():
            break
        active, r, A, gradient, norm = active[keep], r[keep], A[keep], gradient[keep], norm[keep]
        normal = np.matmul(A.swapaxes(1, 2), A)
        # damped by the residual: it goes away where r does, so that Newton's speed is kept near a zero
        normal[:, range(n), range(n)] += (damping[active] * norm)[:, None]
        trial = x[active] - _solve(normal, gradient).reshape(x[active].shape)
        new, slope = reduced.jacobian(trial)
        after = np.where(np.isfinite(new).all(axis=1), np.linalg.norm(new, axis=1), np.inf)
        down = after < norm
        slowly[active] = np.where(down & (after < 0.98 * norm), 0, slowly[active] + 1)
        at = active[down]
        x[at], residual[at], J[at] = trial[down], new[down], slope[down]
        damping[active] *= np.where(down, 0.2, 5.0)
    return x, _size(residual), flat


def _polish(reduced, x):
    """Two more plain Newton steps where they help; points and residuals."""
    size = _size(reduced.residual(x))
    for _ in range(2):
        residual, J = reduced.jacobian(x)
        trial = x - _solve(J, residual).reshape(x.shape)
        new = _size(reduced.residual(trial))
        x, size = np.where((new < size)[:, None, None], trial, x), np.minimum(size, new)
    return x, size


def _starts(reduced, n_starts, scale, rng, given):
    """Given states, zero, random states of many amplitudes, every second one moved some way along the relaxed map."""
    parts = [given] if given is not None else []
    if n_starts:
        low, high = np.log(_AMPLITUDES)
        amplitude = scale * np.exp(rng.uniform(low, high, (n_starts, 1, 1)))
        x = amplitude * rng.standard_normal((n_starts, reduced.m, reduced.n_units))
        pace = rng.uniform(0.1, 1.0, (n_starts, 1, 1))
        stop = rng.integers(1, _RELAXED_STEPS + 1, n_starts)
        x[0] = 0.0
        moving = np.arange(2, n_starts, 2)
        for t in range(_RELAXED_STEPS if moving.size else 0):
            go = moving[stop[moving] > t]
            if not go.size:
                break
            change = reduced.residual(x[go])
            fine = np.isfinite(change).all(axis=(1, 2))
            x[go[fine]] += pace[go[fine]] * change[fine]
        parts.append(x)
    return np.concatenate(parts)


def _merge(points, distance):
    """Representatives (indices of points) and, for each point, which of them it is within the distance of."""
    chosen, member = [], np.empty(len(points), dtype=int)
    flat = points.reshape(len(points), np.prod(points.shape[1:], dtype=int))
    for i, point in enumerate(flat):
        near = np.flatnonzero(np.abs(flat[chosen] - point).max(axis=1) <= distance) if chosen else []
        if len(near):
            member[i] = near[0]
        else:
            member[i] = len(chosen)
            chosen.append(i)
    return np.array(chosen, dtype=int), member


def _unseen(hits):
    """Chao's estimate of the number of classes not seen, from how often each was [A. Chao, Scand. J. Stat. 11, 265 (1984)]."""
    if np.sum(hits) < 2:
        return float("inf")
    once, twice = int(np.sum(hits == 1)), int(np.sum(hits == 2))
    return once**2 / (2.0 * twice) if twice else once * (once - 1) / 2.0


def _is_odd(reduced, rng):
    x = rng.standard_normal((3, reduced.m, reduced.n_units))
    there, back = reduced.residual(x), reduced.residual(-x)
    return bool(np.abs(there + back).max() < 1e-12 * (1.0 + np.abs(there).max()))


def _mirror(points, hits, distance):
    """Pairs +-s of an odd network: all points, hits, which are mere images, and the hits of each pair."""
    images = -points
    flat = points.reshape(len(points), np.prod(points.shape[1:], dtype=int))
    partner = np.full(len(points), -1)
    for i, image in enumerate(images.reshape(len(points), -1)):
        near = np.flatnonzero(np.abs(flat - image).max(axis=1) <= distance) if len(points) else []
        if len(near):
            partner[i] = near[0]
    lonely = partner < 0
    pairs = np.array([hits[i] + (hits[j] if j > i else 0) for i, j in enumerate(partner) if j < 0 or j >= i], dtype=int)
    selves = np.array([j == i for i, j in enumerate(partner) if j < 0 or j >= i], dtype=bool)
    everything = np.concatenate([points, images[lonely]])
    source = np.concatenate([np.arange(len(points)), np.flatnonzero(lonely)])
    mirrored = np.arange(len(everything)) >= len(points)
    return everything, np.concatenate([hits, np.zeros(lonely.sum(), dtype=int)]), mirrored, pairs, selves, source


def _search(net, n_starts, starts, rng, input, n_steps, scale, tol, slow_tol, merge, spectra):
    """Network.find_fixed_points; its docstring has the arguments."""
    from threadpoolctl import threadpool_limits

    if net.batch is not None:
        raise CapabilityError(f"find_fixed_points takes one network, this is a batch of {net.batch}: make a Network of one of them")
    n_starts = integer("n_starts", n_starts)
    n_steps = integer("n_steps", n_steps, low=1)
    scale = real("scale", scale, low=0.0, open_low=True)
    tol = real("tol", tol, low=0.0, high=1e-3, open_low=True)
    slow_tol = real("slow_tol", slow_tol, low=0.0)
    merge = real("merge", merge, low=0.0, open_low=True)
    if not isinstance(spectra, (bool, np.bool_)):
        raise TypeError(f"spectra must be True or False, got {spectra!r}")
    rng = generator(rng)
    reduced = _ReducedMap(net, net._pattern(input))
    given = None
    if starts is not None:
        given = _given_starts(net, starts)[:, reduced.site.kept]
    if n_starts == 0 and (given is None or not len(given)):
        raise ValueError("n_starts must be at least 1 where no starts are given, got 0")
    with threadpool_limits(1, "blas"):
        x = _starts(reduced, n_starts, scale, rng, given)
        caps = np.exp(rng.uniform(*np.log(_CAPS), len(x)))
        bounds = reduced.bounds()
        odd = _is_odd(reduced, np.random.default_rng(0))
        chunk = max(1, int(_MEMORY / (6 * 8 * reduced.n**2)))
        points, sizes, slow = [], [], []
        for first in range(0, len(x), chunk):
            part = slice(first, first + chunk)
            point, size, is_slow = _from_starts(reduced, x[part], caps[part], bounds, tol, slow_tol, n_steps)
            points.append(point)
            sizes.append(size)
            slow.append(is_slow)
        points, sizes, slow = np.concatenate(points), np.concatenate(sizes), np.concatenate(slow)
        return _collect(net, reduced, input, points, sizes, slow, bounds, odd, tol, slow_tol, merge, bool(spectra))


def _from_starts(reduced, x, caps, bounds, tol, slow_tol, n_steps):
    points, sizes = _newton(reduced, x, caps, bounds, tol, n_steps)
    slow = np.zeros(len(x), dtype=bool)
    left = np.flatnonzero((sizes >= tol) & (sizes < max(_PROMISING, slow_tol)))
    if left.size:
        points[left], sizes[left], flat = _descend(reduced, points[left], tol, slow_tol)
        slow[left] = (sizes[left] >= tol) & (sizes[left] < slow_tol) & (flat <= _FLAT)
    done = np.flatnonzero(sizes < tol)
    if done.size:
        points[done], sizes[done] = _polish(reduced, points[done])
    return points, sizes, slow


def _collect(net, reduced, input, points, sizes, slow, bounds, odd, tol, slow_tol, merge, spectra):
    fixed = sizes < tol
    n_starts, n_failed = len(points), int(np.sum(~fixed & ~slow))
    chosen, member = _merge(points[fixed], merge)
    hits = np.bincount(member, minlength=len(chosen))
    order = np.argsort(-hits, kind="stable")
    found, hits = points[fixed][chosen][order], hits[order]
    n_found, mirrored, missing = len(found), np.zeros(len(found), dtype=bool), _unseen(hits)
    source = np.arange(n_found)
    if odd and n_found:
        found, hits, mirrored, pairs, selves, source = _mirror(found, hits, merge)
        if missing < np.inf:  # zero is its own image, all else comes in twos
            missing = 0.0 if selves.all() else 2.0 * _unseen(pairs)
    index = np.zeros(n_found, dtype=int)
    for i in range(n_found):
        _, J = reduced.jacobian(found[i : i + 1])
        sign, log = np.linalg.slogdet(-J[0])
        index[i] = int(sign) if np.isfinite(log) else 0
    index = index[source]
    ghosts = points[slow]
    chosen, member = _merge(ghosts, max(merge, 1e-3))  # minima are flat: found to 1e-3 at best
    order = np.argsort(sizes[slow][chosen], kind="stable")
    ghost_hits = np.bincount(member, minlength=len(chosen))[order]
    ghosts = ghosts[chosen][order]
    every = np.concatenate([found, ghosts])
    states = reduced.complete(every) if len(every) else np.zeros((0, net.cell.n_state, net.n_units))
    residual = _size(reduced.residual(every)) if len(every) else np.zeros(0)
    radius = unstable = None
    if spectra:
        radius, unstable = np.full(len(every), np.nan), np.full(len(every), -1)
        for i in range(len(found)):
            if mirrored[i]:
                radius[i], unstable[i] = radius[source[i]], unstable[source[i]]
            else:
                modulus = np.abs(net.eigenvalues(states[i], input))
                radius[i], unstable[i] = modulus.max(), int(np.sum(modulus > 1.0))
    degree = int(index.sum())
    complete = 1 if np.isfinite(bounds).all() else None
    status = f"{len(found)} fixed points"
    status += f" ({int(mirrored.sum())} of them mirror images)" if mirrored.any() else ""
    status += f", {len(ghosts)} slow points; {n_failed} of {n_starts} starts failed; "
    status += f"an estimated {missing:.3g} not found" if missing < np.inf else "too few to estimate how many are not found"
    if complete is not None and degree != complete:
        status += f"; the degree is {degree} and not {complete}: some are missing"
    none = np.zeros(len(ghosts), dtype=int)
    return NetworkFixedPoints(
        states=states,
        label=np.array(["fixed"] * len(found) + ["slow"] * len(ghosts), dtype="<U5"),
        residual=residual,
        hits=np.concatenate([hits, ghost_hits]).astype(int),
        mirrored=np.concatenate([mirrored, none.astype(bool)]),
        index=np.concatenate([index, none]),
        spectral_radius=radius,
        n_unstable=unstable,
        n_starts=n_starts,
        n_failed=n_failed,
        n_missing=float(missing),
        degree=degree,
        complete_degree=complete,
        odd=odd,
        tol=tol,
        slow_tol=slow_tol,
        merge=merge,
        status=status,
    )


def _given_starts(net, starts):
    starts = real_array("starts", starts)
    d, n = net.cell.n_state, net.n_units
    if starts.shape == (d, n):
        starts = starts[None]
    if starts.ndim != 3 or starts.shape[1:] != (d, n):
        raise ValueError(f"starts must have shape ({d}, {n}) or (n, {d}, {n}), got {starts.shape}")
    return starts
