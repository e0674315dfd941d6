"""The self-consistent equations inside the spectrum's support, for any cell, law of matrices and population of sites [T4, T10].

By the Cauchy-Binet formula, with W_IJ the minors of the transfer matrix (rows I: messages, columns J: fields),

    det(1 + P W Q W^dagger) = sum over I, J of  p^I (a^2 q)^J |det W_IJ|^2,

a polynomial in the unknowns whose coefficients are real, non-negative and, multiplied by |det(lambda - F_s)|^2, polynomials in
lambda and its conjugate. Grouped by (I, messages of J) they are *monomials*; all of section 4 of the theory sheet is

    2 Phi = extremum over x, theta of  E log( |chi|^2 + sum_m c_m(lambda) p^{e_m} q^{f_m} ) - sum_k x_k,
    p_k = sqrt(x_k) exp(-theta_k),   q_k = sqrt(x_k) exp(theta_k),

a maximum in x and a minimum in theta (which carries the gauge freedom). Of other laws than iid columns have unknowns of their own,
see :mod:`.groups`. No complex matrix is ever inverted, poles of the transfer matrix are harmless (the weight |chi|^2 just
vanishes), and one matrix product gives the c_m of all lambda at all sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, cast

import numpy as np

from ..ensemble.field_law import squared
from ..ensemble.matrix_laws import MatrixLaw
from ..ensemble.sites import Sites
from ..ensemble.vanishing import shared_leaks
from ..errors import ConvergenceError
from .determinant import loops, monomial, perron, perron_start, reachable, spectral_radius
from .groups import Loop, groups_of

__all__ = ["Population", "Solution"]

#: A monomial: the rows of its minors, and the groups of their columns.
Key = tuple[tuple[int, ...], tuple[int, ...]]

#: A share from which on it may be one of a hole.
_WHOLE = 1.0 - 1e-9
#: From so many lambdas on, those without first guesses get them from solved neighbours.
_MANY = 200
#: Attempts at a solution, each after more steps of the plain iteration.
_ATTEMPTS = 4
#: Passes over which a law's alpha is matched at most, and how well its logarithm has to be known.
_PASSES, _MATCHED = 60, 1e-13
_TINY = 1e-300
#: Sweeps over the messages that balance them, at most, and a relative change that ends these: any scale does.
_SWEEPS, _BALANCED = 50, 1e-3
#: Sites among which shared leaks are looked for; relative difference up to which a lambda is one of them.
_SOME, _ROUNDING = 24, 1e-14
#: Weight below which an atom is none, and where the order of a zero is measured: as far from it, and a hundredth of that.
_FAINT, _BESIDE = 1e-4, 1e-5


@dataclass
class Solution:
    """The equations solved at L lambdas.

    Attributes
    ----------
    x : (L, n) array, x_k = p_k q_k of each message; 0 outside the support
    theta : (L, n) array, log(q_k / p_k) / 2, up to a number for each loop of messages
    shares : (L, G) array, s_g of each group of fields, which add up to the x of their message; x itself of iid matrices
    values : dict of (L,) arrays: what was asked for of "potential", "resolvent", "density"
    """

    x: np.ndarray
    theta: np.ndarray
    shares: np.ndarray
    values: dict[str, np.ndarray]

    def _each(self, turned):
        return Solution(*map(turned, (self.x, self.theta, self.shares)), {name: turned(v) for name, v in self.values.items()})

    def __getitem__(self, part: np.ndarray) -> Solution:
        """At some of the lambdas."""
        return self._each(lambda a: a[part])

    def spread(self, part: np.ndarray, size: int) -> Solution:
        """Among so many lambdas, at the indices ``part``; 0 elsewhere."""

        def among(a):
            out = np.zeros((size, *a.shape[1:]), dtype=a.dtype)
            out[part] = a
            return out

        return self._each(among)


class _Averages:
    """Sums over the loops of what belongs to them, at L lambdas, and T there."""

    def __init__(self, lam, with_log, group_moments):
        self.lam, self.with_log = lam, with_log
        self._group_moments, self._moments, self._known = group_moments, None, np.zeros(lam.size, dtype=bool)
        self.loops = np.zeros(lam.size, dtype=int)  # that are inside
        self.logs, self.resolvent, self.density = np.zeros(lam.size), np.zeros(lam.size, dtype=complex), np.zeros(lam.size)

    def moments(self, part):
        """T by groups (m, n, G) at the indices ``part``; what has been computed before is not computed again."""
        new = part[~self._known[part]]
        if new.size:
            moments = self._group_moments(self.lam[new])
            if self._moments is None:
                self._moments = np.empty((self.lam.size, *moments.shape[1:]))
            self._moments[new], self._known[new] = moments, True
        return self._moments[part]

    def add(self, part, averages, penalty):
        """A loop's averages of logarithm, resolvent and density, and the sum of its Psi, at the indices ``part``."""
        logs, resolvent, density = averages
        self.logs[part] += logs - penalty
        self.resolvent[part] += resolvent
        self.density[part] += density
        self.loops[part] += 1


class Population:
    """Sites turned into monomial coefficients; solves and evaluates the equations of [T4, T10] at arrays of lambda.

    Parameters
    ----------
    sites : Sites, with ``gain`` set; of matrices of which nothing is known iid entries are assumed
    """

    def __init__(self, sites: Sites) -> None:
        self.sites, self.cell = sites, sites.cell
        self.weights = sites.weights
        self.d, self.n = self.cell.n_state, self.cell.n_messages
        self.groups = groups_of(self.cell, cast(Mapping[str, MatrixLaw], sites.matrices))
        self._group_of = [next(g for g, group in enumerate(self.groups) if k in group.fields) for k in range(self.cell.n_fields)]
        self.message_of = tuple(group.message for group in self.groups)
        self._centers: dict[int, dict[str, Any]] = {}
        self._balance, self._coupled = np.ones(self.n), np.ones((self.n, self.n), dtype=bool)
        self.keys: tuple[Key, ...] = ()
        self._set_balance(self.expansion(1))
        self.blocks = self._find_blocks(self.keys)

    def expansion(self, center: int) -> dict[str, Any]:
        """Coefficients of chi and Gram coefficients of the monomials, in powers of lambda - center; ``center`` is 0 or 1.

        Returns
        -------
        dict : "keys", the monomials; "chi", (d + 1, M) coefficients of det(lambda - F_s) at the sites, lowest first; "gram",
        "gram_monomial" and "gram_basis", products of coefficients of minors, and which monomial and basis function each is of.
        """
        if center not in self._centers:
            self._centers[center] = self._expanded(center)
        return self._centers[center]

    def _minors(self, center, chosen=slice(None)):
        """Coefficients of the minors of some sites in powers of lambda - center."""
        s = self.sites
        return self.cell.compiled.minors(center, s.state[:, chosen], s.fields[:, chosen], s.parameters[:, chosen])

    def _expanded(self, center):
        """What ``expansion`` gives; the monomials are those of the first one that is made."""
        minors = self._minors(center)
        chi = minors.pop(((), ()))
        a2 = squared(np.asarray(self.sites.gain))
        basis = {pair: b for b, pair in enumerate(combinations_with_replacement(range(self.d + 1), 2))}
        grams: dict[Key, dict[int, np.ndarray]] = {}
        for (rows, columns), q in minors.items():
            weight = float(np.prod(a2[list(columns)]))
            powers = [i for i in range(self.d + 1) if q[i].any()]
            if weight == 0.0 or not powers:
                continue
            key = monomial(rows, columns, self._group_of)
            weight *= self._scale(key)
            sums = grams.setdefault(key, {})
            for i, j in combinations_with_replacement(powers, 2):
                product, b = weight * q[i] * q[j], basis[i, j]
                sums[b] = sums[b] + product if b in sums else product
        self.keys = self.keys or tuple(sorted(grams))
        terms = [(m, b, gram) for m, key in enumerate(self.keys) for b, gram in sorted(grams.get(key, {}).items()) if gram.any()]
        return {
            "keys": self.keys,
            "chi": np.ascontiguousarray(chi),
            "gram": np.array([gram for _, _, gram in terms]).reshape(len(terms), self.sites.size),
            "gram_monomial": np.array([m for m, _, _ in terms], dtype=np.int64),
            "gram_basis": np.array([b for _, b, _ in terms], dtype=np.int64),
        }

    def _scale(self, key):
        """What the scale of the messages multiplies the coefficient of a monomial by."""
        rows, messages = self.messages(key)
        return float(np.prod(self._balance[list(rows)] / self._balance[list(messages)]))

    def messages(self, key: Key) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The rows of a monomial, and the messages of its columns."""
        rows, columns = key
        return rows, tuple(self.message_of[g] for g in columns)

    def _set_balance(self, data):
        """Scale the messages so that couplings in both directions are alike, and find those too weak to count.

        Messages may differ by many powers of ten (h and r h in a state that has all but decayed). The scale of a message is a
        gauge: it drops out. Couplings below 1e-9 of the largest, once balanced, change T by less than 1e-18.
        """
        G = np.zeros((self.n, self.n))
        size = np.abs(data["gram"]) @ self.weights
        for m, value in zip(data["gram_monomial"], size):
            rows, columns = self.messages(self.keys[m])
            if len(rows) == 1:
                G[rows[0], columns[0]] += value
        balance = np.ones(self.n)
        off = G * (1.0 - np.eye(self.n))
        for _ in range(_SWEEPS):
            before = balance.copy()
            for i in range(self.n):
                row, column = balance[i] * (off[i] / balance).sum(), (off[:, i] * balance).sum() / balance[i]
                if row > 0.0 and column > 0.0:
                    balance[i] *= np.sqrt(column / row)
            if np.allclose(balance, before, rtol=_BALANCED, atol=0.0):
                break
        balanced = G * balance[:, None] / balance
        self._coupled = balanced > 1e-9 * balanced.max() if G.any() else np.zeros_like(self._coupled)
        self._balance = balance
        data["gram"] *= np.array([self._scale(key) for key in self.keys])[data["gram_monomial"], None]

    def _find_blocks(self, keys: Iterable[Key]) -> list[Loop]:
        """Loops of messages with their monomials, of those given; the determinant factorises over them."""
        feeds = np.zeros((self.n, self.n), dtype=bool)
        alive = set(keys)
        for key in alive:
            rows, columns = self.messages(key)
            if len(rows) == 1 and (rows[0] == columns[0] or self._coupled[rows[0], columns[0]]):
                feeds[rows[0], columns[0]] = True
        blocks = []
        for members in loops(reachable(feeds)):
            within = [{*rows, *columns} <= set(members) for rows, columns in map(self.messages, self.keys)]
            chosen = [m for m, key in enumerate(self.keys) if key in alive and within[m]]
            blocks.append(Loop.among(members, [self.keys[m] for m in chosen], chosen, self.groups))
        return blocks

    # --- leaks that many sites share

    @cached_property
    def shared_leaks(self) -> list[complex]:
        """Leaks of a finite fraction of the sites, found among a few of them: there the determinant may have fewer terms."""
        some = np.unique(np.linspace(0, self.weights.size - 1, _SOME).astype(int))
        return [leak for leak, _ in shared_leaks(self._minors(0, some)[((), ())])]

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
        found = ((leak, self.atom_at(leak)) for leak in self.shared_leaks)
        return [(leak, weight) for leak, weight in found if weight > _FAINT]

    def atom_at(self, leak: complex) -> float:
        """Weight of the eigenvalues at a shared leak.

        That is the average over sites of half the power of |lambda - leak| with which the determinants vanish.
        """
        here = self._at_leak(leak)
        # beside the leak: at it, the use that a site makes of messages is a ratio of roundings where its gate is 1 to rounding
        solution = here.solve(np.array([leak + _BESIDE * 1j]))
        at = leak + _BESIDE * 1j * np.array([0.0, 1.0, 1e-2])
        base, c = here._coefficients(at)
        totals = []
        for block in here.blocks:
            if not solution.x[0, list(block.messages)].max() > 0.0:
                continue
            if block.entangled:
                totals.append(here._stack_determinants(block, solution, at))
            else:
                totals.append(base + np.einsum("m,lms->ls", self.monomials(block, solution)[0], c[:, block.monomials]))
        out = 0.0
        for count, total in [(1.0, total) for total in totals] + [(1.0 - len(totals), base)]:
            with np.errstate(divide="ignore", invalid="ignore"):
                order = np.log(total[1] / total[2]) / (2.0 * np.log(1e2))
            out += count * float(self.weights @ np.where(total[0] <= 1e-16 * total[1], np.round(order), 0.0))
        return out

    def _stack_determinants(self, block, solution, lam):
        """|chi|^2 det(1 + P W Q W^dagger) (L, M) at the unknowns of a loop with a stack, solved at the first of the lambdas."""
        ((_, t, equations),) = self._stack_equations(block, lam)
        shares, theta = block.parted(self._unknowns(block, solution))
        start = equations.start(np.sqrt(block.totals(shares)) * np.exp(-theta), shares)
        base, c = equations.coefficients(t)
        return base + np.einsum("lms,m->ls", c, equations.polynomial(equations.solve(t[:1], start, _limit(1e-10))[1])[0])

    # --- sums over sites

    def monomials(self, block: Loop, solution: Solution) -> np.ndarray:
        """(L, m): the monomials of one of the ``blocks`` at a solution; they multiply the terms of :meth:`expansion`."""
        return block.values(self._unknowns(block, solution))

    def _unknowns(self, block, solution):
        messages = list(block.messages)
        return block.unknowns(solution.shares[:, list(block.groups)], solution.theta[:, messages] + np.log(self._balance[messages]))

    def kept(self, shares: np.ndarray, theta: np.ndarray) -> Solution:
        """The solution that has these ``shares`` (L, G) and ``theta`` (L, n), as a first guess and for what is computed of it."""
        x = np.zeros((len(shares), self.n))
        np.add.at(x.T, list(self.message_of), shares.T)
        return Solution(x, theta, shares, {})

    def along(self, known: np.ndarray) -> Solution:
        """The solution along a contour, from what its nodes know: (1 + G + n, L), g, the shares and theta, one row each."""
        G = len(self.groups)
        return self.kept(known[1 : 1 + G].real.T, known[1 + G :].real.T)

    def _centered(self, lam):
        """[(indices of lambdas, lambda - center, expansion)] by the side of |lambda| = 1/2 they lie on."""
        lam = lam.astype(complex, copy=False)  # one machine code for all
        near = np.abs(lam) < 0.5
        sides = ((0, np.flatnonzero(near)), (1, np.flatnonzero(~near)))
        return [(part, lam[part] - center, self.expansion(center)) for center, part in sides if part.size]

    def _coefficients(self, lam):
        """|chi|^2 (L, M) and c_m (L, m, M), of few lambdas."""
        from .dyson_kernels import coefficients

        base, c = np.empty((lam.size, self.weights.size)), np.empty((lam.size, len(self.keys), self.weights.size))
        for part, t, data in self._centered(lam):
            base[part], c[part] = coefficients(
                t, data["chi"], data["gram"], data["gram_monomial"], data["gram_basis"], len(self.keys)
            )
        return base, c

    def transfer_moments(self, lam: np.ndarray) -> np.ndarray:
        """T(lambda) of [T3] at ``lam`` (L,) from this population, (L, n, n); inf where a site has a pole."""
        return self._by_message(self.group_moments(lam))

    def _by_message(self, moments):
        """T (L, n, n) from its parts by groups."""
        out = np.zeros((len(moments), self.n, self.n))
        for g, message in enumerate(self.message_of):
            out[:, :, message] += moments[:, :, g]
        return out

    def group_moments(self, lam: np.ndarray) -> np.ndarray:
        """What the groups of fields contribute to T at ``lam`` (L,), (L, n, G)."""
        from .dyson_kernels import first_moments

        out = np.zeros((lam.size, self.n, len(self.groups)))
        for part, t, data in self._centered(lam):
            ratios = first_moments(
                t, data["chi"], data["gram"], data["gram_monomial"], data["gram_basis"], self.weights, len(self.keys)
            )
            for m, (rows, columns) in enumerate(self.keys):
                if len(rows) == 1:
                    out[part, rows[0], columns[0]] = ratios[:, m]
        return out

    def _terms(self, data, block):
        """What the equations of a loop are made of, of an expansion; of no loop, None, |chi|^2 alone."""
        from .dyson_kernels import Powers, Terms

        nothing = np.zeros((0, 0))
        powers = Powers(nothing, nothing, nothing, np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
        if block is not None:
            powers = Powers(block.usage, block.columns, block.tilt, block.message, block.truncation, block.order)
        place = {m: i for i, m in enumerate([] if block is None else block.monomials)}
        rows = [g for g, m in enumerate(data["gram_monomial"]) if m in place]
        gram = data["gram"] if len(rows) == len(data["gram"]) else data["gram"][rows]
        monomial = np.array([place[m] for m in data["gram_monomial"][rows]], dtype=np.int64)
        return Terms(data["chi"], gram, monomial, data["gram_basis"][rows], self.weights), powers

    # --- solution

    def solve(
        self,
        lam: np.ndarray,
        what: Iterable[str] = (),
        tol: float = 1e-10,
        radius: np.ndarray | None = None,
        start: Solution | None = None,
    ) -> Solution:
        """Solve the equations at ``lam``, a complex array (L,), to ``tol`` relative, and average ``what`` over sites.

        Parameters
        ----------
        lam : (L,) complex array, away from shared leaks
        what : set of "potential", "resolvent", "density", see :meth:`evaluate`
        tol : float
        radius : (L,) array, optional, the spectral radius of T where it is known already
        start : Solution, optional
            First guesses: the solution of another population of the same law at the same lambdas.

        Raises
        ------
        ConvergenceError
            where the equations are not solved
        """
        out = _Averages(lam, "potential" in what, self.group_moments)
        if radius is None:
            radius = np.full(lam.size, np.inf)
            new = np.arange(lam.size) if start is None else np.flatnonzero(~(start.shares > 0.0).any(axis=1))
            radius[new] = spectral_radius(self._by_message(out.moments(new))) if new.size else 0.0
        shares, theta = np.zeros((lam.size, len(self.groups))), np.zeros((lam.size, self.n))
        for block in self.blocks:
            unknowns = np.zeros((lam.size, block.size)) if start is None else self._unknowns(block, start)
            todo = np.flatnonzero(radius > 1.0 + 1e-13)
            if block.entangled:
                self._solve_stack(block, todo, unknowns, tol, out)
            else:
                self._solve_loop(block, todo, unknowns, radius, tol, out)
            messages = list(block.messages)
            shares[:, list(block.groups)], centred = block.parted(unknowns)
            theta[:, messages] = centred - np.log(self._balance[messages])
        # loops share |chi|^2, which is counted once; one loop is by far the common case, and then poles cancel exactly
        odd = np.flatnonzero(out.loops != 1)
        if odd.size and set(what) != {"density"}:
            nothing = np.zeros((odd.size, 0))
            none = np.zeros(odd.size, dtype=np.int64)
            logs, resolvent = self._run(lam[odd], None, (nothing, nothing), nothing, none, 1.0, out.with_log)[1:3]
            out.logs[odd] += (1.0 - out.loops[odd]) * logs
            out.resolvent[odd] += (1.0 - out.loops[odd]) * resolvent
        values = {"potential": 0.5 * out.logs, "resolvent": out.resolvent, "density": out.density / np.pi}
        solution = self.kept(shares, theta)
        solution.values = {name: values[name] for name in what}
        return solution

    def _solve_loop(self, block, todo, unknowns, radius, tol, out):
        """Solve the equations of one loop at the lambdas ``todo``; ``unknowns`` hold first guesses where s > 0, then the solution.

        Without first guesses large sets are solved in stages: a sparse subset from scratch, denser ones from their nearest solved
        neighbours.
        """
        if (unknowns[todo, :1] > 0.0).any() or todo.size < _MANY:
            self._solve_from(block, todo, unknowns, tol, out)
            return
        from scipy.spatial import cKDTree

        # nearest in lambda and in the distance from the edge, where the unknowns go to zero
        lam = out.lam
        place = np.column_stack([lam.real, lam.imag, 0.1 * np.log(np.clip(radius - 1.0, 1e-12, 1e6))])
        order = todo[np.argsort(np.abs(lam[todo]), kind="stable")]
        known = np.zeros(0, dtype=int)
        slopes = np.zeros(unknowns.shape, dtype=complex)
        for stage in (order[::64], order[::8], order):
            fresh = np.setdiff1d(stage, known, assume_unique=True)
            if known.size:
                nearest = known[cKDTree(place[known]).query(place[fresh])[1]]
                unknowns[fresh] = block.moved(
                    unknowns[nearest], 2.0 * (slopes[nearest] * (lam[fresh] - lam[nearest])[:, None]).real
                )
            slopes[fresh] = self._solve_from(block, fresh, unknowns, tol, out)
            known = stage

    def _solve_from(self, block, indices, unknowns, tol, out):
        """Solve at some lambdas from first guesses, afresh where there are none; the slopes of the unknowns by lambda."""
        limit = _limit(tol)
        slopes = np.zeros((indices.size, block.size), dtype=complex)
        plain, left = np.zeros(indices.size, dtype=np.int64), np.arange(indices.size)
        for attempt in range(_ATTEMPTS):
            if attempt:
                plain[left] = 40 * 4**attempt
                unknowns[indices[left]] = block.within_bounds(unknowns[indices[left]])
            fresh = left if attempt == 1 else left[unknowns[indices[left], 0] <= 0.0]
            if attempt or len(self.blocks) > 1:
                # this loop may be outside though another one is inside, as may this population next to the exact edge: x = 0
                outside = spectral_radius(self._block_moments(block, out, indices[left])[0]) <= 1.0
                unknowns[indices[left[outside]]] = 0.0
                left, fresh = left[~outside], np.setdiff1d(fresh, left[outside])
            if fresh.size:
                unknowns[indices[fresh]], deep = self._fresh_start(block, *self._block_moments(block, out, indices[fresh]))
                plain[fresh] = np.maximum(plain[fresh], deep)
            part = indices[left]
            found = unknowns[part]
            solved, *averages, slopes[left] = self._run_matched(out.lam[part], block, found, plain[left], limit, out.with_log)
            unknowns[part] = found
            if not attempt:  # a neighbour next to a hole may lead into it from afar: a whole share is believed the second time
                solved &= (block.parted(found)[0] < _WHOLE).all(axis=1)
            out.add(part[solved], [a[solved] for a in averages], block.penalty(found[solved]))
            left = left[~solved]
            if not left.size:
                return slopes
        raise ConvergenceError(f"Dyson equations not solved at lambda = {out.lam[indices[left[0]]]}", estimate=unknowns)

    def _solve_stack(self, block, todo, unknowns, tol, out):
        """As :meth:`_solve_loop`, of a loop over whose messages a stack reaches."""
        T, by_group = self._block_moments(block, out, todo)
        unknowns[todo[spectral_radius(T) <= 1.0]] = 0.0
        inside = spectral_radius(T) > 1.0
        todo, T, by_group = todo[inside], T[inside], by_group[inside]
        new = unknowns[todo, 0] <= 0.0
        if new.any():
            unknowns[todo[new]] = self._fresh_start(block, T[new], by_group[new])[0]
        for part, t, equations in self._stack_equations(block, out.lam[todo]):
            here = todo[part]
            shares, theta = block.parted(unknowns[here])
            start = equations.start(np.sqrt(block.totals(shares)) * np.exp(-theta), shares)
            solved, found = equations.solve(t, start, _limit(tol))
            if not solved.all():
                raise ConvergenceError(f"equations of a stack not solved at lambda = {out.lam[here[~solved][0]]}", estimate=found)
            shares, p = equations.shares(t, found)
            unknowns[here] = block.unknowns(shares, 0.5 * np.log(block.totals(shares)) - np.log(p))
            out.add(here, equations.values(t, found), 0.0)

    def edge_uses(self, loop: Loop, lam: np.ndarray) -> np.ndarray:
        """What the laws of the matrices take from kappa at the edge of the spectrum (L,): the sum of alpha'(0) sigma_g^2 [T10].

        sigma_g is the group's share of tau; of a stack over several messages t tr (C q)^2 stands for that, C its column uses.

        Parameters
        ----------
        loop : one of the ``blocks``
        lam : (L,) complex array
        """
        T, by_group = self._loop_moments(loop, self.group_moments(lam))
        left, right = perron(np.swapaxes(T, 1, 2)), perron(T)
        left /= (left * right).sum(axis=1, keepdims=True)
        use = np.einsum("lk,lkg->lg", left, by_group)
        if not loop.entangled:
            slopes = np.array([group.first_slope for group in loop.laws])
            return (use * right[:, loop.message]) ** 2 @ slopes
        out = np.zeros(lam.size)
        for part, t, equations in self._stack_equations(loop, lam):
            out[part] = equations.edge_uses(t, use[part], right[part])
        return out

    def _stack_equations(self, block, lam):
        """[(indices of lambdas, lambda - center, equations)] of a loop over whose messages a stack reaches."""
        from .stack_equations import StackEquations

        out = []
        for part, t, data in self._centered(lam):
            center = 0 if data is self.expansion(0) else 1
            minors = self._minors(center)
            chi = minors.pop(((), ()))
            a2 = squared(np.asarray(self.sites.gain))
            scale = {
                (rows, fields): float(np.prod(a2[list(fields)])) * self._scale(monomial(rows, fields, self._group_of))
                for rows, fields in minors
            }
            out.append((part, t, StackEquations(block, minors, chi, scale, self._group_of, self.weights)))
        return out

    def _run_matched(self, lam, block, unknowns, plain, limit, with_log):
        """What :meth:`_run` returns, for any law.

        Where alpha is not that of a truncation its logarithm is matched, with its slope, at the last shares: the passes converge
        as Newton's method does.
        """
        G = len(block.groups)
        at, todo = block.allowed(unknowns[:, :G]), np.arange(lam.size)
        whole: list[np.ndarray] = []
        for _ in range(_PASSES if block.others else 1):
            found, rests = unknowns[todo], block.rests(at[todo])
            values = self._run(lam[todo], block, rests, found, plain[todo], limit, with_log)
            whole = whole or [np.zeros((lam.size, *value.shape[1:]), dtype=value.dtype) for value in values]
            for kept, value in zip(whole, values):
                kept[todo] = value
            unknowns[todo] = found
            if not block.others:
                break
            new = block.allowed(found[:, :G], at[todo])
            apart = np.where((new == found[:, :G]).all(axis=1), block.mismatch(rests, new), np.inf)
            at[todo] = new
            plain = np.zeros_like(plain)
            todo = todo[values[0] & (apart > max(_MATCHED, limit**2))]
            if not todo.size:
                break
        whole[0][todo if block.others else []] = False
        return whole

    def _run(self, lam, block, rests, unknowns, plain, limit, with_log):
        """The compiled solution of a loop's equations at ``lam``: all that it returns; ``unknowns`` are overwritten."""
        from .dyson_kernels import solve

        v = unknowns.shape[1]
        types = (bool, ()), (float, ()), (complex, ()), (float, ()), (complex, (v,))
        out = [np.zeros((lam.size, *shape), dtype=kind) for kind, shape in types]
        for part, t, data in self._centered(lam):
            found, (level, growth) = unknowns[part], rests
            terms, powers = self._terms(data, block)
            for whole, value in zip(out, solve(t, *terms, *powers, level[part], growth[part], found, plain[part], limit, with_log)):
                whole[part] = value
            unknowns[part] = found
        return out

    def _block_moments(self, block, out, part):
        """T of a loop's messages at the indices ``part``, and what its groups contribute to it."""
        return self._loop_moments(block, out.moments(part))

    def _loop_moments(self, block, moments):
        messages = list(block.messages)
        T = self._by_message(moments)[:, messages][:, :, messages]
        return np.minimum(T, 1e12), np.minimum(moments[:, messages][:, :, list(block.groups)], 1e12)

    @staticmethod
    def _fresh_start(block, T, by_group):
        """Where Newton starts without a solved neighbour, and after how many steps of the plain iteration.

        The Perron vectors of T are the directions of the unknowns at the edge; x = 1 - 1/T for sites that are all alike. Of a
        message groups have what they contribute to the use of its columns.
        """
        radius = spectral_radius(T)
        x, tau = perron_start(T)
        x *= np.maximum(1.0 - 1.0 / radius, 1e-8)[:, None]
        deep = radius > 3.0
        x[deep], tau[deep] = 0.5, 0.0  # Perron vectors say nothing far from the edge
        shares = x[:, block.message]
        if len(block.groups) > len(block.messages):
            left = perron(np.swapaxes(T, 1, 2))
            left[deep] = 1.0
            use = np.einsum("lk,lkg->lg", left, by_group)
            shares = shares * use / np.maximum(block.totals(use)[:, block.message], _TINY)
        return np.concatenate([shares, tau], axis=1), np.where(deep, 3, 0)

    # --- quantities

    def evaluate(
        self,
        lam: np.ndarray,
        what: Iterable[str],
        tol: float = 1e-10,
        radius: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Potential, resolvent or density [T4] at ``lam``, a complex array (L,), to ``tol`` relative.

        ``what`` is a set of "potential", "resolvent", "density". Returns a dict of arrays (L,): Phi per unit, g per unit, density
        per unit area and unit (integrates to d). ``radius`` as in :meth:`solve`. Raises ConvergenceError.
        """
        return self.solution(lam, what, tol, radius).values

    def solution(
        self,
        lam: np.ndarray,
        what: Iterable[str],
        tol: float = 1e-10,
        radius: np.ndarray | None = None,
        start: Solution | None = None,
    ) -> Solution:
        """As :meth:`solve`, at any lambdas: limits where one is a shared leak, and what is infinite on atoms."""
        special = np.zeros(lam.size, dtype=bool)
        for leak in self.shared_leaks:
            special |= _same(lam, leak)
        if not special.any():
            return self.solve(lam, what, tol, radius, start)
        usual = np.flatnonzero(~special)
        rest = self.solve(lam[usual], what, tol, None if radius is None else radius[usual], None if start is None else start[usual])
        out = rest.spread(usual, lam.size)
        for i in np.flatnonzero(special):
            for name, value in self._values_at_leak(lam[i : i + 1], what, tol).items():
                out.values[name][i] = value
        return out

    def _values_at_leak(self, lam, what, tol):
        """What is asked for at one lambda that is a shared leak."""
        leak = next(leak for leak in self.shared_leaks if _same(lam, leak).all())
        values = {name: value[0] for name, value in self._at_leak(leak).solve(lam, what, tol).values.items()}
        if self.atom_at(leak) > _FAINT:
            values.update({name: value for name, value in (("potential", -np.inf), ("resolvent", np.inf)) if name in values})
        return values


def _limit(tol):
    """The last step of Newton's method: the next error is its square."""
    return np.sqrt(tol) * (0.1 if tol > 1e-8 else 1e-2)


def _same(lam, leak):
    """Which lambdas are equal to a leak, to rounding."""
    return np.abs(lam - leak) <= _ROUNDING * (1.0 + abs(leak))
