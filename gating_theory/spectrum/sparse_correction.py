"""What sparse matrices change, to first order in 1/c: second moments of messages, and the potential [T10].

Fourth cumulants of the entries are of order m4 / c, m4 = E w^4, and so are covariances of the squares of two sums over one row:
of sums of U_ij^2 f_j and U_ij^2 g_j, relative to their means, it is (m4 E f g / (E f E g) - r) / c, with r = 1 where every row has
exactly c entries and r = 0 else. Three things follow, for one field x = U m among frozen ones, y = x + rest, of which a share rho
of the variance comes through U:

- x is no longer normal: its excess kurtosis is kappa = (m4 E m^4 / (E m^2)^2 - 3 r) / c, so that averages over sites change by
  kappa rho^2 / 24 E f He_4, He_4 the Hermite polynomial of the field at unit variance; the moments solve their equation with that.
- At given sites the potential changes by -(m4 (E theta^2 / s)^2 - r E theta^2) / (4 c), theta = s v / (1 + s v).
- Rows that drive a site strongly are strong rows of the Jacobian, too:
  (m4 E m^2 theta / (s E m^2) - r) / (4 c) E[(y^2 / sigma_y^2 - 1) rho theta].

The last two are what the potential of a network differs by from the Gaussian theory at its own sites.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..ensemble.field_law import squared
from ..ensemble.matrix_laws import require
from ..ensemble.sites import Sites
from ..ensemble.sparse import Sparse
from ..errors import CapabilityError
from ..mean_field.fixed_point import FixedPoint
from ..support.arithmetic import underflow_is_zero
from ..support.checks import complex_array, instance
from .spectrum import Spectrum

__all__ = ["sparse_moments", "sparse_potential"]

#: Tolerance of the populations of sites: corrections are small, and their next order is not known.
_TOL = 1e-6
_INSTEAD = "networks that are sampled: Network.sample, steady_state of dense ones"


class _OneField(NamedTuple):
    """The one field that comes through a matrix, at a population of sites."""

    law: Sparse
    field: int
    message: int  # the distinct message that it listens to
    sites: Sites
    squares: np.ndarray  # (n, M) of all distinct messages
    unit: np.ndarray  # (M,) the field, centred and divided by its spread over sites
    share: float  # rho

    @property
    def q(self):
        return self.sites.mean(self.squares[self.message])

    @property
    def repeated(self):
        """r."""
        return 1.0 if self.law.fixed else 0.0

    def covariance(self, f, g):
        """c times the covariance of two sums over a row, relative to their means."""
        mean = self.sites.mean
        return self.law.fourth_moment * mean(f * g) / (mean(f) * mean(g)) - self.repeated

    @property
    def kurtosis(self):
        """kappa rho^2, of the field itself."""
        m2 = self.squares[self.message]
        excess = self.law.fourth_moment * self.sites.mean(m2**2) / self.q**2 - 3.0 * self.repeated
        return self.share**2 * excess / self.law.in_degree

    def by_variance(self, f):
        """Derivative of E f by log q: what the variance that comes through the matrix does."""
        return 0.5 * self.share * self.sites.mean(f * (self.unit**2 - 1.0))

    def moment_shift(self):
        """(n,) changes of the second moments of all messages."""
        quartic = self.unit**4 - 6.0 * self.unit**2 + 3.0
        direct = np.array([self.kurtosis / 24.0 * self.sites.mean(m2 * quartic) for m2 in self.squares])
        by_log = np.array([self.by_variance(m2) for m2 in self.squares])
        own = self.message
        return direct + by_log * direct[own] / (self.q - by_log[own])

    def site_shift(self, f):
        """Change of E f over sites of a fixed point: by the kurtosis of the field, and by the moment that it brings."""
        quartic = self.unit**4 - 6.0 * self.unit**2 + 3.0
        change = self.kurtosis / 24.0 * self.sites.mean(f * quartic)
        return change + self.by_variance(f) * self.moment_shift()[self.message] / self.q


@underflow_is_zero
def sparse_moments(fixed_point: FixedPoint) -> dict[str, float]:
    """Second moments of the messages of a sparse network, to first order in 1/c [T10].

    Of ensembles in which one field alone has a matrix (a vanilla network; gates of gain zero). What is left is of order 1/c^2.

    Parameters
    ----------
    fixed_point : FixedPoint, of an ensemble with matrices ``gt.Sparse(in_degree)``, in_degree at least 30

    Returns
    -------
    dict, {message: E m^2}

    Raises
    ------
    TypeError
        not a FixedPoint
    CapabilityError
        several fields with a matrix, another law, an in-degree below 30

    See Also
    --------
    sparse_potential : the spectrum's side of the same correction

    Examples
    --------
    Sparse networks are a little less active than dense ones:

    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2, matrices=gt.Sparse(50)))[-1]
    >>> print(round(point.moments["h"], 4), round(gt.sparse_moments(point)["h"], 4))
    0.5304 0.5261
    """
    instance("fixed_point", fixed_point, FixedPoint, "as from fixed_points(ensemble)")
    if fixed_point.is_zero:
        return dict(fixed_point.moments)
    one = _one_field(fixed_point.sites_at(_TOL), "sparse_moments")
    return {name: q + float(shift) for (name, q), shift in zip(fixed_point.moments.items(), one.moment_shift())}


@underflow_is_zero
def sparse_potential(spectrum: Spectrum, lam: npt.ArrayLike) -> float | np.ndarray:
    """``(1/N) log|det(lambda - J)|`` of a sparse network, to first order in 1/c [T10].

    The potential of the Gaussian theory, corrected. Of ensembles
    in which one field alone has a matrix. At a FixedPoint sites are corrected, too; sites that were given, of a
    network, are what they are. At lambdas outside the support nothing but sites changes.

    Parameters
    ----------
    spectrum : Spectrum, of matrices ``gt.Sparse(in_degree)``, in_degree at least 30
    lam : complex number or array

    Returns
    -------
    float or array of the shape of ``lam``

    Raises
    ------
    TypeError, ValueError
        not a Spectrum, lambdas that are not finite
    CapabilityError
        several fields with a matrix, another law, an in-degree below 30

    See Also
    --------
    sparse_moments : of the states

    Examples
    --------
    ``(|lambda|^2 - 1) / 2`` is the potential within the disc of dense matrices; sparse ones have less:

    >>> import gating_theory as gt
    >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, matrices=gt.Sparse(50)))[0])
    >>> print(round(sp.potential(0.5), 4), round(gt.sparse_potential(sp, 0.5), 4))
    -0.375 -0.3834
    """
    instance("spectrum", spectrum, Spectrum)
    lam = complex_array("lam", lam)
    plain = np.asarray(spectrum.potential(lam))
    out = plain + np.array([_shift(spectrum, complex(z)) for z in lam.ravel()]).reshape(lam.shape)
    return out if out.ndim else float(out)


def _shift(spectrum, lam):
    population = spectrum.sites_near(lam, _TOL, fold=False)
    one = _one_field(population.sites, "sparse_potential")
    sites, message, field = one.sites, one.message, one.field
    minors = sites.cell.compiled.minors(0, sites.state, sites.fields, sites.parameters)
    base, coupled = (np.abs(_polynomial(minors[key], lam)) ** 2 for key in (((), ()), ((message,), (field,))))
    s = float(population.solve(np.array([lam])).x[0, message])
    weight = base + s * squared(np.asarray(sites.gain))[field] * coupled
    theta = np.divide(weight - base, weight, out=np.zeros_like(weight), where=weight > 0.0)
    c, total = one.law.in_degree, 0.0
    if s > 0.0:
        square = sites.mean(theta**2)
        total -= (one.law.fourth_moment * (square / s) ** 2 - one.repeated * square) / (4.0 * c)
    if one.q > 0.0:
        if s > 0.0:
            total += one.covariance(one.squares[message], theta) / (2.0 * c) * one.by_variance(theta)
        if spectrum.fixed_point is not None:
            with np.errstate(divide="ignore"):
                total += one.site_shift(0.5 * np.log(weight))
    return total


def _polynomial(coefficients, at):
    total = 0.0
    for value in reversed(np.asarray(coefficients)):
        total = total * at + value
    return total


def _one_field(sites, who):
    """The field that has a matrix, if it is a single one of a sparse law for which the limit holds."""
    cell, gain = sites.cell, np.asarray(sites.gain)
    live = np.flatnonzero(gain > 0.0)
    laws = {cell.field_names[k]: sites.matrices[cell.field_names[k]] for k in live}
    if len(live) != 1 or not all(isinstance(law, Sparse) for law in laws.values()):
        raise CapabilityError(
            f"{who} is derived for one field with a matrix of the law Sparse, got {laws or 'none'}: use {_INSTEAD}"
        )
    require(laws, "resolvent", who, _INSTEAD)
    (field,) = live
    values = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
    table = np.array([np.broadcast_to(m, sites.size) ** 2 for m in values])
    y = sites.fields[field]
    centred = y - sites.mean(y)
    variance = sites.mean(centred**2)
    message = cell.message_of[field]
    driven = squared(gain)[field] * sites.mean(table[message])
    share = min(1.0, driven / variance) if variance > 0.0 else 0.0
    unit = centred / np.sqrt(variance) if variance > 0.0 else centred
    return _OneField(laws[cell.field_names[field]], int(field), message, sites, table, unit, share)
