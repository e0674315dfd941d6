"""The average of log D over sites with its derivatives, at many unknowns and regulators at once, of any phase [T9].

D = base + sum_m c_m p^(e_m) q^(f_m) eta^(g_m) is linear in what belongs to the sites. Monomials with the same coefficients at all
sites (a message that is a state stands for p + eta) are summed first, into the polynomials phi_r of the distinct *rows* c_r:

    dE log D = sum_r E[c_r / D] dphi_r,    d^2 E log D = sum_r E[c_r / D] d^2 phi_r - sum_rk E[c_r c_k / D^2] dphi_r dphi_k.

Both averages are matrix products. Arrays: L points, M sites, n messages, R rows, v = 2 n + 1 variables (p, q, eta).
"""

from __future__ import annotations

import numpy as np

from .equations import Equations

__all__ = ["LogAverage"]

#: Numbers (points times sites) that are worked on at once: so many stay in the cache.
_AT_ONCE = 8_192
#: Parts of the way along which phases grow: evenly spaced, and closer and closer to its end, where D may nearly vanish.
_WAY = np.concatenate([np.arange(8) / 8.0, 1.0 - 0.5 ** np.arange(4.0, 16.0), [1.0]])


class LogAverage:
    """E log D of one population of sites at one lambda, of the messages and monomials that count.

    Parameters
    ----------
    equations : Equations

    Attributes
    ----------
    n : int, messages
    """

    def __init__(self, equations: Equations) -> None:
        terms, messages, chosen = equations.terms, equations.messages, equations.monomials
        self.n = len(messages)
        self._weights = terms.weights
        known: dict[bytes, int] = {}
        row_of = [known.setdefault(row.tobytes(), len(known)) for row in terms.c[chosen]]
        rows = terms.c[chosen][np.unique(row_of, return_index=True)[1]]
        size = np.maximum(terms.base + rows.sum(axis=0), 1e-300)  # of D at a site: a factor of D changes no derivative
        self._base, self._rows = terms.base / size, rows / size
        e, f = (a[np.ix_(chosen, messages)] for a in (terms.e, terms.f))
        exponents = np.concatenate([e, f, terms.g[chosen, None]], axis=1)
        self._monomial_terms(exponents, row_of, len(rows))
        self._pairs = np.tril_indices(len(rows))

    def _monomial_terms(self, exponents, row_of, count):
        """Exponents (u, v) of all monomials in the rows and their derivatives, and where these occur.

        ``_slopes`` (u, R (1 + v)) is what they add to the rows and to their first derivatives. Second derivatives have few terms:
        ``_bent``, the monomials and rows of these, and ``_bends``, factors at the places (i, j) that they belong to.
        """
        v = exponents.shape[1]
        one = np.eye(v, dtype=int)
        place: dict[tuple[int, ...], int] = {}
        slopes, bends = [], []
        for powers, row in zip(exponents.astype(int), row_of):
            slopes.append((place.setdefault(tuple(powers), len(place)), row, 0, 1.0))
            for i in np.flatnonzero(powers):
                once = powers - one[i]
                slopes.append((place.setdefault(tuple(once), len(place)), row, 1 + i, powers[i]))
                for j in np.flatnonzero(once):
                    bends.append((place.setdefault(tuple(once - one[j]), len(place)), row, i * v + j, powers[i] * once[j]))
        self._exponents = np.array(list(place), dtype=int).reshape(len(place), v)
        table = np.zeros((len(place), count, 1 + v))
        for of, row, by, factor in slopes:
            table[of, row, by] += factor
        self._slopes = table.reshape(len(place), -1)
        terms = np.array(bends, dtype=int).reshape(-1, 4)
        self._bent = terms[:, 0], terms[:, 1]
        self._bends = np.zeros((len(terms), v * v))
        self._bends[np.arange(len(terms)), terms[:, 2]] = terms[:, 3]

    def derivatives(self, variables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (L, v) and second derivatives (L, v, v) of E log D; not finite where D vanishes at a site.

        Parameters
        ----------
        variables : (L, v) complex array, p, q and eta
        """
        monomials = self._monomials(variables)
        phi, slope = self._polynomials(monomials)
        # where D vanishes there is no derivative, which whoever asks for it sees
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            one, two = self._ratios(phi)
            turned = slope.transpose(0, 2, 1)
            of, row = self._bent
            bent = _times(monomials[:, of] * one[:, row], self._bends).reshape(len(phi), *(slope.shape[2],) * 2)
            return (turned @ one[:, :, None])[:, :, 0], bent - turned @ two @ slope

    def turns(self, variables: np.ndarray) -> np.ndarray:
        """E arg D (L,) / pi, continued from positive variables, where D is positive, while their phases grow to what they are.

        Real parts of variables are not negative. D, a function of the part of the way, has no zeros before its end, at no complex
        part either: no step towards the end turns D by as much as pi. So it is enough to count how often D crosses the negative
        numbers.

        Parameters
        ----------
        variables : (L, v) complex array
        """
        size, phase = np.abs(variables), np.angle(variables)
        phi = [self._polynomials(self._monomials(size * np.exp(1j * part * phase)))[0] for part in _WAY]
        out = np.zeros(len(variables))
        for sites in self._blocks(len(variables)):
            before, crossed = self._at(phi[0], sites), 0.0
            for values in phi[1:]:
                now = self._at(values, sites)
                left = before[0] * now[1] - before[1] * now[0] > 0.0
                above, stays_above = before[1] >= 0.0, now[1] >= 0.0
                crossed = crossed + (above & ~stays_above & left) - 1.0 * (~above & stays_above & ~left)
                before = now
            out += (np.arctan2(before[1], before[0]) / np.pi + 2.0 * crossed) @ self._weights[sites]
        return out

    def _monomials(self, variables):
        """(L, u): all that occur in the rows and in their derivatives."""
        powers = variables[:, None, :] ** np.arange(self._exponents.max(initial=0) + 1)[:, None]
        return powers[:, self._exponents, np.arange(variables.shape[1])].prod(axis=2)

    def _polynomials(self, monomials):
        """phi (L, R) and dphi (L, R, v)."""
        whole = _times(monomials, self._slopes).reshape(len(monomials), len(self._rows), 2 + 2 * self.n)
        return whole[:, :, 0], whole[:, :, 1:]

    def _blocks(self, points):
        size = max(64, _AT_ONCE // max(1, points))
        return [slice(start, start + size) for start in range(0, self._weights.size, size)]

    def _at(self, phi, sites):
        """Real and imaginary part of D (L, sites)."""
        rows = self._rows[:, sites]
        return phi.real @ rows + self._base[sites], phi.imag @ rows

    def _ratios(self, phi):
        """E[c_r / D] (L, R) and E[c_r c_k / D^2] (L, R, R)."""
        L, R = phi.shape
        one, two = np.zeros((2, L, R)), np.zeros((2, L, self._pairs[0].size))
        for sites in self._blocks(L):
            re, im = self._at(phi, sites)
            over = 1.0 / (re * re + im * im)
            re *= over  # of 1 / D from here on
            im *= -over
            rows = self._rows[:, sites]
            weighted = rows * self._weights[sites]
            products = (weighted[self._pairs[0]] * rows[self._pairs[1]]).T
            one[0] += re @ weighted.T
            one[1] += im @ weighted.T
            two[0] += (re * re - im * im) @ products
            two[1] += (2.0 * re * im) @ products
        full = np.empty((L, R, R), dtype=complex)
        full[:, self._pairs[0], self._pairs[1]] = full[:, self._pairs[1], self._pairs[0]] = two[0] + 1j * two[1]
        return one[0] + 1j * one[1], full


def _times(values, table):
    """Complex values (L, u) times a real table (u, k)."""
    return values.real @ table + 1j * (values.imag @ table)
