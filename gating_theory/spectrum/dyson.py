"""The self-consistent equations inside the spectrum's support, for any cell and any population of sites [T4].

By the Cauchy-Binet formula, with W_IJ the minors of the transfer matrix (rows I: messages, columns J: fields),

    det(1 + P W Q W^dagger) = sum over I, J of  p^I (a^2 q)^J |det W_IJ|^2,

a polynomial in the unknowns whose coefficients are real, non-negative and, multiplied by |det(lambda - F_s)|^2, polynomials in
lambda and its conjugate. Grouped by (I, messages of J) they are the *monomials* below; all of section 4 of the theory sheet is

    2 Phi = extremum over x, theta of  E log( |chi|^2 + sum_m c_m(lambda) p^{e_m} q^{f_m} ) - sum_k x_k,
    p_k = sqrt(x_k) exp(-theta_k),   q_k = sqrt(x_k) exp(theta_k),

a maximum in x and a minimum in theta (which carries the gauge freedom). No complex matrix is ever inverted, poles of the
transfer matrix are harmless (the weight |chi|^2 just vanishes), and one matrix product gives the c_m of all lambda at all sites.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..ensemble.field_law import squared
from ..ensemble.sites import Sites
from ..ensemble.vanishing import shared_leaks
from ..errors import ConvergenceError
from .determinant import LoopMonomials, loops, monomial, perron_start, reachable, spectral_radius

__all__ = ["Population", "Solution"]

#: A monomial: the rows of its minors, and the messages of their columns.
Key = tuple[tuple[int, ...], tuple[int, ...]]

_CHUNK = 400_000  # sites x lambdas x monomials worked on at once: arrays that stay in the second-level cache
_TINY = 1e-300
#: Sites among which shared leaks are looked for; relative difference up to which a lambda is one of them.
_SOME, _ROUNDING = 24, 1e-14
#: Weight below which an atom is none, and where the order of a zero is measured: as far from it, and a hundredth of that.
_FAINT, _BESIDE = 1e-4, 1e-5


class _Block(LoopMonomials[int]):
    """A loop of messages and its monomials, labelled by their rows among the coefficients of a Population."""

    @cached_property
    def monomials(self) -> list[int]:
        return list(self.labels)

    @cached_property
    def outer(self) -> np.ndarray:
        """(m, v^2): products of exponents of one monomial."""
        u = self.exponents
        return np.einsum("ai,aj->aij", u, u).reshape(len(u), -1)

    @cached_property
    def pairs(self) -> np.ndarray:
        """(m^2, v^2): products of exponents of two monomials."""
        u = self.exponents
        return np.einsum("ai,bj->abij", u, u).reshape(len(u) ** 2, -1)


@dataclass
class Solution:
    """State of the equations at L lambdas.

    Attributes
    ----------
    x : list of (L, n) arrays, one for each block of n messages; 0 outside the support
    tau : list of (L, n - 1) arrays
    curvature : list of (L, 2n - 1, 2n - 1) arrays, second derivatives of the potential by (log x, tau)
    inside : (L,) bool, where the equations have a non-trivial solution
    """

    x: list[np.ndarray]
    tau: list[np.ndarray]
    curvature: list[np.ndarray]
    inside: np.ndarray


class Population:
    """Sites turned into monomial coefficients; solves and evaluates the equations of [T4] at arrays of lambda.

    Parameters
    ----------
    sites : Sites, with ``gain`` set
    """

    def __init__(self, sites: Sites) -> None:
        self.sites, self.cell = sites, sites.cell
        self.weights = sites.weights
        self.d, self.n = self.cell.n_state, self.cell.n_messages
        self._centers: dict[int, dict[str, Any]] = {}
        self._own = threading.local()  # scratch arrays: threads may share a Population, but not these
        self._balance, self._coupled = np.ones(self.n), np.ones((self.n, self.n), dtype=bool)
        self.keys: tuple[Key, ...] = self._expand(1, None)["keys"]
        self._set_balance()
        self.blocks = self._find_blocks(self.keys)

    def expansion(self, center: int) -> dict[str, Any]:
        """Coefficients of chi and Gram coefficients of the monomials, in powers of lambda - center; ``center`` is 0 or 1.

        Returns
        -------
        dict : "keys", the monomials; "chi", (d + 1, M) coefficients of det(lambda - F_s) at the sites, lowest first; "gram",
        "gram_monomial" and "gram_basis", products of coefficients of minors, and which monomial and basis function each is of.
        """
        return self._centers[center] if center in self._centers else self._expand(center, self.keys)

    def _expand(self, center: int, keys: tuple[Key, ...] | None) -> dict[str, Any]:
        """What ``expansion`` gives, kept for the next time; the monomials are those that are found where none are given."""
        s = self.sites
        minors = self.cell.compiled.minors(center, s.state, s.fields, s.parameters)
        a2 = squared(np.asarray(s.gain))
        pairs = [(i, j) for i in range(self.d + 1) for j in range(i, self.d + 1)]
        chi = minors.pop(((), ()))
        grams: dict[Key, np.ndarray] = {}
        for (rows, columns), q in minors.items():
            messages = [self.cell.message_of[c] for c in columns]
            weight = float(np.prod(a2[list(columns)]) * np.prod(self._balance[list(rows)] / self._balance[messages]))
            if weight == 0.0 or not q.any():
                continue
            key = monomial(rows, columns, self.cell.message_of)
            gram = weight * np.stack([q[i] * q[j] for i, j in pairs])
            grams[key] = grams[key] + gram if key in grams else gram
        if keys is None:
            keys = tuple(sorted(grams))
        terms = [(m, b, grams[k][b]) for m, k in enumerate(keys) if k in grams for b in range(len(pairs)) if grams[k][b].any()]
        self._centers[center] = {
            "keys": keys,
            "chi": np.ascontiguousarray(chi),
            "gram": np.array([g for _, _, g in terms]).reshape(len(terms), s.size),
            "gram_monomial": np.array([m for m, _, _ in terms], dtype=np.int64),
            "gram_basis": np.array([b for _, b, _ in terms], dtype=np.int64),
        }
        return self._centers[center]

    def _set_balance(self):
        """Scale the messages so that couplings in both directions are alike, and find those too weak to count.

        Messages may differ by many powers of ten (h and r h in a state that has all but decayed). The scale of a message is a
        gauge: it drops out. Couplings below 1e-9 of the largest, once balanced, change T by less than 1e-18.
        """
        data = self._centers[1]
        G = np.zeros((self.n, self.n))
        size = np.abs(data["gram"]) @ self.weights
        for m, value in zip(data["gram_monomial"], size):
            rows, columns = data["keys"][m]
            if len(rows) == 1:
                G[rows[0], columns[0]] += value
        balance = np.ones(self.n)
        off = G * (1.0 - np.eye(self.n))
        for _ in range(50):
            for i in range(self.n):
                row, column = balance[i] * (off[i] / balance).sum(), (off[:, i] * balance).sum() / balance[i]
                if row > 0.0 and column > 0.0:
                    balance[i] *= np.sqrt(column / row)
        balanced = G * balance[:, None] / balance
        self._coupled = balanced > 1e-9 * balanced.max() if G.any() else np.zeros_like(self._coupled)
        self._balance = balance
        del self._centers[1]

    def _find_blocks(self, keys: Iterable[Key]) -> list[_Block]:
        """Loops of messages with their monomials, of those given; the determinant factorises over them."""
        feeds = np.zeros((self.n, self.n), dtype=bool)
        alive = set(keys)
        for rows, columns in self.keys:
            if len(rows) == 1 and (rows, columns) in alive and (rows[0] == columns[0] or self._coupled[rows[0], columns[0]]):
                feeds[rows[0], columns[0]] = True
        blocks = []
        for members in loops(reachable(feeds)):
            chosen = [m for m, key in enumerate(self.keys) if key in alive and {*key[0], *key[1]} <= set(members)]
            blocks.append(_Block.of(members, [self.keys[m] for m in chosen], chosen))
        return blocks

    # --- leaks that many sites share

    @cached_property
    def shared_leaks(self) -> list[complex]:
        """Leaks of a finite fraction of the sites, found among a few of them: there the determinant may have fewer terms."""
        some = np.unique(np.linspace(0, self.weights.size - 1, _SOME).astype(int))
        return [leak for leak, _ in shared_leaks(self.expansion(0)["chi"][:, some])]

    def _at_leak(self, leak):
        """This population with the loops that are left at a shared leak, where monomials may vanish at all sites."""
        _, c = self._coefficients(np.array([leak]))
        here = c[0] @ self.weights
        _, c = self._coefficients(np.array([leak * (1.0 + 1e-3) + 1e-3j]))
        alive = here > 1e-20 * (c[0] @ self.weights)
        out = copy(self)
        out.blocks = self._find_blocks([key for key, lives in zip(self.keys, alive) if lives])
        return out

    @cached_property
    def atoms(self) -> list[tuple[complex, float]]:
        """[(lambda, weight per unit)]: eigenvalues of which a finite fraction sits in one place [T4].

        A site adds to one as often as its determinant vanishes there, the unknowns being what they are.
        """
        found = ((leak, self._order_of_zero(leak)) for leak in self.shared_leaks)
        return [(leak, weight) for leak, weight in found if weight > _FAINT]

    def _order_of_zero(self, leak):
        """Average over sites of half the power of |lambda - leak| with which the determinants vanish."""
        here = self._at_leak(leak)
        solution = here.solve(np.array([leak]))
        at = leak + _BESIDE * 1j * np.array([0.0, 1.0, 1e-2])
        base, c = here._coefficients(at)
        totals = [base + np.einsum("m,lms->ls", here._scale(b, x, tau)[0], c[:, b.monomials]) for b, x, tau in
                  zip(here.blocks, solution.x, solution.tau) if x.max() > 0.0]  # fmt: skip
        out = 0.0
        for count, total in [(1.0, total) for total in totals] + [(1.0 - len(totals), base)]:
            with np.errstate(divide="ignore", invalid="ignore"):
                order = np.log(total[1] / total[2]) / (2.0 * np.log(1e2))
            out += count * float(self.weights @ np.where(total[0] <= 1e-16 * total[1], np.round(order), 0.0))
        return out

    # --- coefficients at given lambda

    def _basis(self, t, derivative=0):
        """|.|^2 of a polynomial with real coefficients q is basis @ (q_i q_j); with derivatives by lambda, or both."""
        columns = []
        for i in range(self.d + 1):
            for j in range(i, self.d + 1):
                a, b = _power(t, i), _power(t, j)
                if derivative == 0:
                    value = (a * b.conj()).real * (1.0 if i == j else 2.0)
                else:
                    da, db = _slope(t, i), _slope(t, j)
                    if derivative == 1:  # d/dlambda of q(lambda) conj(q(lambda))
                        value = da * b.conj() + (db * a.conj() if i != j else 0.0)
                    else:  # d^2/dlambda dconj(lambda)
                        value = (da * db.conj()).real * (1.0 if i == j else 2.0)
                columns.append(value)
        return np.stack(columns, axis=-1)

    def _centered(self, lam):
        """(t, center data) for lambdas that all lie on the same side of |lambda| = 1/2."""
        center = 0 if abs(lam[0]) < 0.5 else 1
        return lam - center, self.expansion(center)

    def _coefficients(self, lam):
        """|chi|^2 (L, M) and c_m (L, m, M), valid until the next call of this thread."""
        from .dyson_kernels import coefficients

        t, data = self._centered(lam)
        # to take megabytes from the system anew costs more than the arithmetic on them: each call writes over the same arrays
        rows = lam.size
        space = getattr(self._own, "space", None)
        if space is None or space[0].shape[0] < rows:
            space = self._own.space = np.empty((rows, self.weights.size)), np.empty((rows, len(self.keys), self.weights.size))
        base, c = space[0][:rows], space[1][:rows]
        coefficients(t, data["chi"], self._basis(t), data["gram"], data["gram_monomial"], data["gram_basis"], base, c)
        return base, c

    def _chunks(self, lam):
        """Index arrays: lambdas of one center, few enough for the cache."""
        size = max(1, int(_CHUNK / (self.weights.size * max(1, len(self.keys)))))
        near = np.abs(lam) < 0.5
        for side in (np.flatnonzero(near), np.flatnonzero(~near)):
            for start in range(0, side.size, size):
                yield side[start : start + size]

    # --- edge

    def transfer_moments(self, lam: np.ndarray) -> np.ndarray:
        """T(lambda) of [T3] at ``lam`` (L,) from this population, (L, n, n); inf where a site has a pole."""
        out = np.zeros((lam.size, self.n, self.n))
        single = [(m, rows[0], columns[0]) for m, (rows, columns) in enumerate(self.keys) if len(rows) == 1]
        for part in self._chunks(lam):
            base, c = self._coefficients(lam[part])
            for m, k, nu in single:
                out[part, k, nu] = _ratio(c[:, m], base) @ self.weights
        return out

    # --- solution

    def solve(
        self, lam: np.ndarray, tol: float = 1e-10, radius: np.ndarray | None = None, then: Callable[..., None] | None = None
    ) -> Solution:
        """Solve the equations at each of ``lam``, a complex array (L,), to ``tol`` relative. Raises ConvergenceError if any fails.

        ``then(part, base, c, solution)`` is called for each solved chunk while its coefficients are at hand. ``radius`` is the
        spectral radius of T where it is known already. Large sets are solved in stages: a sparse subset from scratch, denser
        ones from their nearest solved neighbours.
        """
        if radius is None:
            radius = spectral_radius(self.transfer_moments(lam))
        inside = radius > 1.0 + 1e-13
        solution = Solution(
            [np.zeros((lam.size, len(b.messages))) for b in self.blocks],
            [np.zeros((lam.size, len(b.messages) - 1)) for b in self.blocks],
            [np.zeros((lam.size, 2 * len(b.messages) - 1, 2 * len(b.messages) - 1)) for b in self.blocks],
            inside,
        )
        todo = np.flatnonzero(inside)
        if todo.size < 200:
            self._solve_at(lam, todo, tol, solution, None, then)
            return solution
        from scipy.spatial import cKDTree

        # nearest in lambda and in the distance from the edge, where the unknowns go to zero
        place = np.column_stack([lam.real, lam.imag, 0.1 * np.log(np.clip(radius - 1.0, 1e-12, 1e6))])
        order = todo[np.argsort(np.abs(lam[todo]), kind="stable")]
        stages = [order[::64], order[::8], order]
        known = np.zeros(0, dtype=int)
        for stage in stages:
            fresh = np.setdiff1d(stage, known, assume_unique=True)
            nearest = known[cKDTree(place[known]).query(place[fresh])[1]] if known.size else None
            self._solve_at(lam, fresh, tol, solution, nearest, then)
            known = stage
        return solution

    def _solve_at(self, lam, indices, tol, solution, nearest, then):
        for local in self._chunks(lam[indices]):
            part = indices[local]
            base, c = self._coefficients(lam[part])
            for b, block in enumerate(self.blocks):
                first = None if nearest is None else (solution.x[b][nearest[local]], solution.tau[b][nearest[local]])
                chosen = c if len(block.monomials) == c.shape[1] else np.ascontiguousarray(c[:, block.monomials])
                x, tau, cov = self._solve_block(lam[part], block, base, chosen, tol, first)
                cov[:, range(x.shape[1]), range(x.shape[1])] -= x
                solution.x[b][part], solution.tau[b][part], solution.curvature[b][part] = x, tau, cov
            if then is not None:
                then(part, base, c, solution)

    def _solve_block(self, lam, block, base, c, tol, first):
        if len(block.messages) == 1:
            return self._solve_scalar(lam, base, c[:, 0], tol, None if first is None else first[0])
        return self._solve_coupled(lam, block, base, c, tol, first)

    def _solve_scalar(self, lam, base, c, tol, first):
        """1 = E[c/(base + x c)], x > 0. Its reciprocal 1/E[..] - 1 is concave and increasing in x: Newton is monotone."""
        w = self.weights
        base = np.maximum(base, _TINY)
        outside = _ratio(c, base) @ w <= 1.0  # this block may be outside though another one is inside
        x = np.full(lam.size, 0.5) if first is None else np.clip(first[:, 0], 1e-12, 1.0)
        x[outside] = 0.0
        cov = np.zeros((lam.size, 1, 1))
        active = np.flatnonzero(~outside)
        for _ in range(100):
            if not active.size:
                break
            ratio = c[active] / (base[active] + x[active, None] * c[active])
            s1, s2 = ratio @ w, (ratio * ratio) @ w
            cov[active, 0, 0] = x[active] * s1 - x[active] ** 2 * s2
            step = (s1 * s1 - s1) / s2
            new = np.clip(x[active] + step, 0.02 * x[active], 1.0)
            moved = np.abs(new - x[active])
            x[active] = new
            # the next error is about the square of this step
            active = active[moved > np.sqrt(tol) * 1e-3 * new]
        if active.size:
            raise ConvergenceError(f"Dyson equation not solved at lambda = {lam[active[0]]}", estimate=x)
        return x[:, None], np.zeros((lam.size, 0)), cov

    def _scale(self, block, x, tau):
        """p^e q^f of the block's monomials at given unknowns, (L, m)."""
        return np.exp(np.log(np.maximum(x, _TINY)) @ block.usage.T + tau @ block.tilt.T)

    def _gradient_hessian(self, block, index, base, c, x, tau):
        """Mean u (L, v) and covariance (L, v, v) of the exponents u = (usage, tilt) under the monomials, for rows ``index``."""
        from .dyson_kernels import usage_moments

        first, second = usage_moments(index, base, c, self._scale(block, x, tau), self.weights)
        cov = first @ block.outer - second.reshape(index.size, -1) @ block.pairs
        v = block.exponents.shape[1]
        return first @ block.exponents, cov.reshape(index.size, v, v)

    def _solve_coupled(self, lam, block, base, c, tol, first):
        """Newton on x_k / E[usage_k] = 1 and E[tilt] = 0, damped; plain iteration where Newton does not settle."""
        n = len(block.messages)
        L = lam.size
        if first is None:
            x, tau = self._fresh_start(block, base, c)
        else:
            x, tau = np.maximum(first[0], 1e-8), first[1].copy()
        done = np.zeros(L, dtype=bool)
        if len(self.blocks) > 1:  # otherwise the caller knows
            outside = self._block_radius(block, base, c) <= 1.0
            x[outside] = 0.0
            done |= outside
        last = np.zeros((L, 2 * n - 1, 2 * n - 1))
        for attempt in range(4):
            if attempt == 1:
                # next to the exact edge this population may be outside: x = 0 is then its only solution
                left = np.flatnonzero(~done)
                outside = left[self._block_radius(block, base[left], c[left]) <= 1.0]
                x[outside], done[outside] = 0.0, True
                if done.all():
                    return x, tau, last
            if attempt == 1 and first is not None:
                fresh = np.flatnonzero(~done)
                x[fresh], tau[fresh] = self._fresh_start(block, base[fresh], c[fresh])
            if attempt:
                self._plain_iteration(block, base, c, x, tau, np.flatnonzero(~done), 40 * 4**attempt)
            for _ in range(40):
                active = np.flatnonzero(~done)
                if not active.size:
                    break
                xa, ta = x[active], tau[active]
                u, cov = self._gradient_hessian(block, active, base, c, xa, ta)
                last[active] = cov  # one step behind the unknowns, whose last step is tiny
                usage, tilt = u[:, :n], u[:, n:]
                # residuals: x/usage - 1 (linear in x for a single site), tilt; derivatives by log x and tau
                ratio = xa / usage
                jac = np.empty_like(cov)
                jac[:, :n, :] = -(ratio / usage)[:, :, None] * cov[:, :n, :]
                jac[:, range(n), range(n)] += ratio
                jac[:, n:, :] = cov[:, n:, :]
                # in x rather than log x: d/dx = (1/x) d/dlog x
                jac[:, :, :n] /= xa[:, None, :]
                residual = np.concatenate([ratio - 1.0, tilt], axis=1)
                with np.errstate(all="ignore"):
                    step = _batched_solve(jac, -residual)
                relative = step[:, :n] / xa
                size = np.maximum(np.abs(relative).max(axis=1), np.abs(step[:, n:]).max(axis=1))
                bad = ~np.isfinite(size)
                step[bad], size[bad] = 0.0, 0.0
                damp = np.minimum(1.0, 1.5 / np.maximum(size, 1e-300))[:, None]
                new = xa + damp * step[:, :n]
                x[active] = np.clip(new, 0.1 * xa, 10.0 * xa)
                tau[active] = ta + damp * step[:, n:]
                x[active[bad]] = usage[bad]
                done[active] = (size < np.sqrt(tol) * (0.1 if tol > 1e-8 else 1e-2)) & ~bad  # the next error is its square
            if done.all():
                return x, tau, last
            x[~done] = np.clip(x[~done], 1e-8, 1.0)
        raise ConvergenceError(f"Dyson equations not solved at lambda = {lam[~done][0]}", estimate=x)

    def _fresh_start(self, block, base, c):
        """Where Newton starts without a solved neighbour."""
        x, tau = self._perron_start(block, base, c)
        deep = np.flatnonzero(self._block_radius(block, base, c) > 3.0)
        x[deep], tau[deep] = 0.5, 0.0  # Perron vectors say nothing far from the edge
        if deep.size:
            self._plain_iteration(block, base, c, x, tau, deep, 3)
        return x, tau

    def _plain_iteration(self, block, base, c, x, tau, active, count):
        """Multiplicative iteration: x_k -> its usage, tau down the gradient of a convex function. Slow, but it does not diverge."""
        n = len(block.messages)
        x[active] = np.clip(np.where(np.isfinite(x[active]), x[active], 0.5), 1e-6, 1.0)
        tau[active] = np.where(np.abs(tau[active]) < 50, tau[active], 0.0)
        for _ in range(count):
            u, cov = self._gradient_hessian(block, active, base, c, x[active], tau[active])
            curvature = cov[:, n:, n:] + 1e-12 * np.eye(n - 1)
            step = _batched_solve(curvature, -u[:, n:])
            tau[active] += np.clip(step, -1.0, 1.0)
            x[active] = np.maximum(u[:, :n], 1e-14)

    def _block_matrix(self, block, base, c):
        L, n = base.shape[0], len(block.messages)
        T = np.zeros((L, n, n))
        index = {k: i for i, k in enumerate(block.messages)}
        for m, key in enumerate(block.monomials):
            rows, columns = self.keys[key]
            if len(rows) == 1:
                T[:, index[rows[0]], index[columns[0]]] = np.minimum(_ratio(c[:, m], base) @ self.weights, 1e12)
        return T

    def _block_radius(self, block, base, c):
        return spectral_radius(self._block_matrix(block, base, c))

    def _perron_start(self, block, base, c):
        """Directions of the unknowns from the Perron vectors of T, which are exact at the edge; size by a scalar Newton."""
        n = len(block.messages)
        x, tau = perron_start(self._block_matrix(block, base, c))
        scale = np.full(x.shape[0], 0.5)
        every = np.arange(x.shape[0])
        for _ in range(6):
            u, cov = self._gradient_hessian(block, every, base, c, scale[:, None] * x, tau)
            usage = u[:, :n].sum(axis=1)
            slope = cov[:, :n, :n].sum(axis=(1, 2))
            ratio = scale / usage
            derivative = ratio * (1.0 - slope / usage)
            step = -scale * (ratio - 1.0) / np.maximum(derivative, 0.05)
            scale = np.clip(scale + step, 0.05 * scale, n)
        return scale[:, None] * x, tau

    # --- quantities

    def evaluate(
        self, lam: np.ndarray, what: Iterable[str], tol: float = 1e-10, radius: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Potential, resolvent or density [T4] at ``lam``, a complex array (L,), to ``tol`` relative.

        ``what`` is a set of "potential", "resolvent", "density". Returns a dict of arrays (L,): Phi per unit, g per unit, density
        per unit area and unit (integrates to d). ``radius`` as in :meth:`solve`. Raises ConvergenceError.
        """
        out = {name: np.zeros(lam.size, dtype=complex if name == "resolvent" else float) for name in what}
        special = np.array([self._shared(one) is not None for one in lam], dtype=bool) if self.shared_leaks else np.zeros(0, bool)
        if special.any():
            self._evaluate_at_leaks(lam, special, out, tol)
            others = self.evaluate(lam[~special], what, tol, None if radius is None else radius[~special])
            for name, value in others.items():
                out[name][~special] = value
            return out
        if radius is None:
            radius = spectral_radius(self.transfer_moments(lam))

        def collect(part, base, c, solution):
            self._collect(lam[part], part, base, c, solution, out)

        solution = self.solve(lam, tol, radius, collect)
        if set(what) != {"density"}:
            rest = np.flatnonzero(~solution.inside)
            for part in (rest[local] for local in self._chunks(lam[rest])):
                base, c = self._coefficients(lam[part])
                self._collect(lam[part], part, base, c, solution, out)
        return out

    def _shared(self, one):
        """The shared leak that a lambda is equal to, to rounding, or None."""
        return next((leak for leak in self.shared_leaks if abs(one - leak) <= _ROUNDING * (1.0 + abs(leak))), None)

    def _evaluate_at_leaks(self, lam, special, out, tol):
        """Fill ``out`` where lambda is a shared leak: limits there, and what is infinite on atoms."""
        for i in np.flatnonzero(special):
            leak = self._shared(lam[i])
            here = self._at_leak(leak)
            here.shared_leaks = []
            values = here.evaluate(lam[i : i + 1], out, tol)
            atom = any(place == leak for place, _ in self.atoms)
            for name, value in values.items():
                out[name][i] = {"potential": -np.inf, "resolvent": np.inf}.get(name, value[0]) if atom else value[0]

    def _collect(self, lam, part, base, c, solution, out):
        """Fill ``out`` at the indices ``part`` from the solved unknowns."""
        from .dyson_kernels import response

        t, data = self._centered(lam)
        basis_1, basis_2 = self._basis(t, 1), self._basis(t, 2)
        flags = "potential" in out, "density" in out

        def averages(scale):
            grams = data["gram"], data["gram_monomial"], data["gram_basis"]
            return response(t, data["chi"], basis_1, basis_2, *grams, base, c, scale, self.weights, *flags)

        n_live = np.zeros(lam.size)
        phi, g, rho = np.zeros(lam.size), np.zeros(lam.size, dtype=complex), np.zeros(lam.size)
        for b, block in enumerate(self.blocks):
            x, tau = solution.x[b][part], solution.tau[b][part]
            live = x.max(axis=1) > 0
            if not live.any():
                continue
            scale = np.zeros((lam.size, len(self.keys)))
            scale[:, block.monomials] = np.where(live[:, None], self._scale(block, x, tau), 0.0)
            logs, ratio, explicit, mixed = averages(scale)
            phi[live] += (logs - x.sum(axis=1))[live]
            g[live] += ratio[live]
            n_live += live
            if "density" in out:
                hessian = solution.curvature[b][part]
                hessian[~live] = np.eye(hessian.shape[1])
                mixed = mixed[:, block.monomials] @ block.exponents
                implicit = np.einsum("li,li->l", mixed, _batched_solve(hessian, mixed.conj())).real
                rho += np.where(live, explicit - implicit, 0.0)
        # blocks share |chi|^2, which is counted once; one block is by far the common case, and then poles cancel exactly
        odd = n_live != 1
        if odd.any():
            logs, ratio, _, _ = averages(np.zeros((lam.size, len(self.keys))))
            phi[odd] += (1.0 - n_live[odd]) * logs[odd]
            g[odd] += (1.0 - n_live[odd]) * ratio[odd]
        for name, value in (("potential", 0.5 * phi), ("resolvent", g), ("density", rho / np.pi)):
            if name in out:
                out[name][part] = value


def _power(t, i):
    return t**i if i else np.ones_like(t)


def _slope(t, i):
    return i * t ** (i - 1) if i > 1 else (np.ones_like(t) if i == 1 else np.zeros_like(t))


def _ratio(numerator, denominator):
    """numerator / denominator with 0/0 = 0 and x/0 = inf."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out = numerator / denominator
    return np.where(numerator == 0.0, 0.0, out)


def _batched_solve(A, b):
    """A x = b for (L, v, v) and (L, v); singular systems give nan instead of an error."""
    if A.shape[1] == 0:
        return np.zeros_like(b)
    try:
        return np.linalg.solve(A, b[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        out = np.full(b.shape, np.nan, dtype=b.dtype)
        for i in range(A.shape[0]):
            try:
                out[i] = np.linalg.solve(A[i], b[i])
            except np.linalg.LinAlgError:
                continue
        return out
