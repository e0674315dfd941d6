"""The self-consistent equations [T4, T10] solved at one lambda after the other, compiled.

Compiled code is kept on disk, and runs without its compiler, which takes a second to import.
Arrays: L lambdas, M sites, m monomials, n messages and G groups of fields of a loop, v unknowns: the shares s_g of the groups, then
n - 1 gauge-free tau, or n theta where a regulator leaves no gauge free.

A monomial is exp(usage . log S + tilt . tau + columns . log alpha(s)), S_k the sum of the shares of message k. The equations are

    s_g = E uses_g,  uses_g = columns_g + (usage_k - columns_k) s_g / S_k  (k the message of g, columns_k the sum over its groups),
    0 = E tilt,      averages over sites and over the monomials' shares of the determinant,

and a monomial's derivative by log s_g is usage_k s_g / S_k + columns_g s_g (log alpha_g)'. With alpha = 1 and one group a message
both are the usage.

All that belongs to one lambda is done at once, while the coefficients of its sites are in the cache: they are computed, Newton's
method goes over them two to five times, and what is wanted of the solution is averaged. Loops over sites run over stretches
that stay in the first-level cache.

Loops that add up store nothing. One that does both is compiled twice, for arrays that might overlap and for others, and which of
the two runs, and so the order of the sum, would depend on where in memory the arrays happen to lie.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..support.kernels import kernel

__all__ = ["Powers", "Terms", "coefficients", "eliminate", "first_moments", "set_shares", "solve", "solve_given"]

_STRETCH = 512
#: Newton's steps at most, and the largest change of log x or tau in one.
_STEPS, _LONGEST = 40, 1.5
_TINY = 1e-300
_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


#: Shares of fields whose alpha has a pole at 1: at most where they start, and the part of the way to 1 that a step goes at most.
_FIRST, _APPROACH = 1.0 - 1e-6, 0.99
#: Beyond the first they count as 1, in a hole of the spectrum, where the potential is its limit, and stay at the second: what
#: rounding makes of 1 - s would keep the others from settling.
_FULL, _HELD = 1.0 - 1e-9, 1.0 - 4e-16


class Terms(NamedTuple):
    """What the equations of one loop are made of.

    Attributes
    ----------
    chi : (d + 1, M) coefficients of det(lambda - F_s), lowest first
    gram : (g, M) products of coefficients of minors
    monomial, basis : (g,) int, which monomial, and which product of two powers, each row of ``gram`` belongs to
    weights : (M,)
    """

    chi: np.ndarray
    gram: np.ndarray
    monomial: np.ndarray
    basis: np.ndarray
    weights: np.ndarray


class Powers(NamedTuple):
    """How the monomials of one loop depend on its unknowns.

    Attributes
    ----------
    usage : (m, n) exponents in S
    columns : (m, G) exponents in alpha
    tilt : (m, v - G) exponents in exp(tau)
    message : (G,) int, the message of each group
    truncation : (G,) t of each group, 0 where alpha has neither a pole nor a zero
    order : (G,) 1 where alpha has a pole at s = 1 / t, -1 where it has a zero
    """

    usage: np.ndarray
    columns: np.ndarray
    tilt: np.ndarray
    message: np.ndarray
    truncation: np.ndarray
    order: np.ndarray


class _Space(NamedTuple):
    """Arrays that every lambda writes over."""

    base: np.ndarray  # (M,) |chi|^2
    c: np.ndarray  # (m, M) coefficients of the monomials
    level: np.ndarray  # (G,) log alpha = level + growth s - order log(1 - t s)
    growth: np.ndarray  # (G,)
    offset: np.ndarray  # (m,) logarithms of what multiplies the monomials beside the unknowns
    total: np.ndarray  # (n,) S
    uses: np.ndarray  # (m, v) what the equations average
    slopes: np.ndarray  # (m, v) derivatives of the monomials' logarithms by log s and tau
    scale: np.ndarray  # (m,) the monomials themselves
    first: np.ndarray  # (m,) moments of their shares pi_m of the determinant
    second: np.ndarray  # (m, m)
    mean: np.ndarray  # (v,) of the uses under the shares
    cov: np.ndarray  # (v, v) of uses and slopes: derivatives of the mean
    matrix: np.ndarray  # (v, v)
    step: np.ndarray  # (v, 1)
    mixed: np.ndarray  # (m, 2) real and imaginary part


# --- coefficients


@_jit
def _products(t: complex, degree: int, value: np.ndarray, slope: np.ndarray, bend: np.ndarray) -> None:
    """|q(t)|^2 of a real polynomial is the sum of value_ij q_i q_j over pairs i <= j; derivatives by t, and by t and conj(t)."""
    b = 0
    for i in range(degree + 1):
        for j in range(i, degree + 1):
            twice = 1.0 if i == j else 2.0
            p, q = t**i, (t**j).conjugate()
            dp = i * t ** (i - 1) if i else 0.0j
            dq = j * t ** (j - 1) if j else 0.0j
            value[b] = twice * (p * q).real
            slope[b] = dp * q + (dq * p.conjugate() if i != j else 0.0j)
            bend[b] = twice * (dp * dq.conjugate()).real
            b += 1


@_jit
def _site_determinants(t: complex, chi: np.ndarray, start: int, re: np.ndarray, im: np.ndarray) -> None:
    """Real and imaginary part of chi(t) at the sites from ``start`` on, by Horner's rule.

    Rows are cut out of matrices one by one: numba does not know that those of a matrix that is cut are contiguous.
    """
    degree, size = chi.shape[0] - 1, re.size
    high, row = chi[degree, start : start + size], chi[degree - 1, start : start + size]
    for s in range(size):
        re[s] = high[s] * t.real + row[s]
        im[s] = high[s] * t.imag
    for power in range(degree - 2, -1, -1):
        row = chi[power, start : start + size]
        for s in range(size):
            x, y = re[s], im[s]
            re[s] = x * t.real - y * t.imag + row[s]
            im[s] = x * t.imag + y * t.real


@_jit
def _coefficients_at(
    t: complex,
    chi: np.ndarray,
    gram: np.ndarray,
    monomial: np.ndarray,
    basis: np.ndarray,
    value: np.ndarray,
    base: np.ndarray,
    c: np.ndarray,
) -> None:
    """Fill base = |chi|^2 (M,) and the coefficients of the monomials c (m, M), clipped at zero."""
    M = base.size
    re, im = np.empty(min(M, _STRETCH)), np.empty(min(M, _STRETCH))
    for start in range(0, M, _STRETCH):
        size = min(_STRETCH, M - start)
        _site_determinants(t, chi, start, re[:size], im[:size])
        for s in range(size):
            base[start + s] = re[s] * re[s] + im[s] * im[s]
        for m in range(c.shape[0]):
            c[m, start : start + size] = 0.0
        for g in range(monomial.size):
            factor = value[basis[g]]
            row, source = c[monomial[g], start : start + size], gram[g, start : start + size]
            for s in range(size):
                row[s] += factor * source[s]
        for m in range(c.shape[0]):
            row = c[m, start : start + size]
            for s in range(size):
                row[s] = max(row[s], 0.0)


@_jit
def coefficients(
    t: np.ndarray, chi: np.ndarray, gram: np.ndarray, monomial: np.ndarray, basis: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """|chi|^2 (L, M) and the coefficients (L, count, M) of so many monomials."""
    L, degree, M = t.size, chi.shape[0] - 1, chi.shape[1]
    base, c = np.empty((L, M)), np.empty((L, count, M))
    value, slope, bend = _product_arrays(degree)
    for l in range(L):
        _products(t[l], degree, value, slope, bend)
        _coefficients_at(t[l], chi, gram, monomial, basis, value, base[l], c[l])
    return base, c


@_jit
def first_moments(
    t: np.ndarray, chi: np.ndarray, gram: np.ndarray, monomial: np.ndarray, basis: np.ndarray, weights: np.ndarray, count: int
) -> np.ndarray:
    """Averages (L, count) of c_m / |chi|^2; 0/0 is 0, and x/0 inf."""
    degree, M = chi.shape[0] - 1, chi.shape[1]
    base, c, out = np.empty(M), np.empty((count, M)), np.zeros((t.size, count))
    value, slope, bend = _product_arrays(degree)
    for l in range(t.size):
        _products(t[l], degree, value, slope, bend)
        _coefficients_at(t[l], chi, gram, monomial, basis, value, base, c)
        for m in range(count):
            row, acc = c[m], 0.0
            for s in range(M):
                ratio = row[s] / base[s]
                acc += weights[s] * (ratio if row[s] > 0.0 else 0.0)
            out[l, m] = acc
    return out


@_jit
def _product_arrays(degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = (degree + 1) * (degree + 2) // 2
    return np.empty(size), np.empty(size, dtype=np.complex128), np.empty(size)


# --- unknowns


@_jit
def solve(
    t: np.ndarray,
    chi: np.ndarray,
    gram: np.ndarray,
    monomial: np.ndarray,
    basis: np.ndarray,
    weights: np.ndarray,
    usage: np.ndarray,
    columns: np.ndarray,
    tilt: np.ndarray,
    message: np.ndarray,
    truncation: np.ndarray,
    order: np.ndarray,
    level: np.ndarray,
    growth: np.ndarray,
    unknowns: np.ndarray,
    plain: np.ndarray,
    limit: float,
    with_log: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Solve the equations of one loop at every t, and average what belongs to the solution over sites.

    Parameters
    ----------
    t : (L,) complex, lambda minus the place of the expansion
    chi, gram, monomial, basis, weights : see Terms
    usage, columns, tilt, message, truncation, order : see Powers
    level, growth : (L, G), log alpha = level + growth s - order log(1 - t s)
    unknowns : (L, v) s and tau: first guesses, overwritten by the solution. Without messages (v = 0) all is that of s = 0.
    plain : (L,) int, steps of the plain iteration before Newton's method
    limit : Newton's method ends with a step of log s and tau below this
    with_log : whether the logarithm is wanted

    Returns
    -------
    solved : (L,) bool; the rest is 0 where that is False
    logs, resolvent, density : (L,) E log(determinant), its derivative by lambda, and by both at solved unknowns
    slopes : (L, v) complex, derivatives of log s and tau by lambda; a change of lambda by e changes them by 2 Re(e slope)
    """
    terms = Terms(chi, gram, monomial, basis, weights)
    powers = Powers(usage, columns, tilt, message, truncation, order)
    L, v, degree = t.size, unknowns.shape[1], chi.shape[0] - 1
    solved = np.ones(L, dtype=np.bool_)
    logs, resolvent, density = np.zeros(L), np.zeros(L, dtype=np.complex128), np.zeros(L)
    slopes = np.zeros((L, v), dtype=np.complex128)
    value, slope, bend = _product_arrays(degree)
    space = _space(np.empty(weights.size), np.empty((usage.shape[0], weights.size)), powers)
    response = np.empty((v, 2))
    for l in range(L):
        _products(t[l], degree, value, slope, bend)
        _coefficients_at(t[l], chi, gram, monomial, basis, value, space.base, space.c)
        if v > 0:
            space.level[:] = level[l]
            space.growth[:] = growth[l]
            solved[l] = _iterate(powers, weights, space, unknowns[l], plain[l], limit)
            if not solved[l]:
                continue
            _set_scale(powers, space, unknowns[l])
        logs[l], resolvent[l], density[l] = _averages(t[l], terms, space, slope, bend, with_log)
        if v > 0:
            density[l] -= _respond(space, truncation.size, response)
            for i in range(v):
                slopes[l, i] = complex(-response[i, 0], -response[i, 1])
    return solved, logs, resolvent, density, slopes


@_jit
def solve_given(
    base: np.ndarray,
    c: np.ndarray,
    weights: np.ndarray,
    usage: np.ndarray,
    columns: np.ndarray,
    tilt: np.ndarray,
    offsets: np.ndarray,
    unknowns: np.ndarray,
    plain: np.ndarray,
    limits: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve the same equations where the coefficients are given, for L sets of numbers that multiply the monomials; alpha = 1.

    Parameters
    ----------
    base, c : (M,) and (m, M), the coefficients
    weights, usage, columns, tilt : see Terms, Powers; one group a message, and as many theta where the gauge is not free
    offsets : (L, m) logarithms of what multiplies the monomials
    unknowns : (L, v) s and theta: first guesses, overwritten by the solution
    plain, limits : (L,), as of :func:`solve`

    Returns
    -------
    solved : (L,) bool; the rest is 0 where that is False
    logs : (L,) E log(determinant)
    shares : (L, m) E pi_m, of the monomials' shares of the determinant
    """
    L, v, m = unknowns.shape[0], unknowns.shape[1], c.shape[0]
    powers = Powers(usage, columns, tilt, np.arange(usage.shape[1]), np.zeros(usage.shape[1]), np.ones(usage.shape[1]))
    solved, logs, shares = np.ones(L, dtype=np.bool_), np.zeros(L), np.zeros((L, m))
    space = _space(base, c, powers)
    for l in range(L):
        space.offset[:] = offsets[l]
        if v > 0:
            solved[l] = _iterate(powers, weights, space, unknowns[l], plain[l], limits[l])
            if not solved[l]:
                continue
        _set_scale(powers, space, unknowns[l])
        set_shares(base, c, space.scale, weights, space.first, space.second)
        shares[l] = space.first
        logs[l] = _mean_log(base, c, space.scale, weights)
    return solved, logs, shares


@_jit
def _space(base: np.ndarray, c: np.ndarray, powers: Powers) -> _Space:
    m, n, G = c.shape[0], powers.usage.shape[1], powers.truncation.size
    v = G + powers.tilt.shape[1]
    law = np.zeros(G), np.zeros(G), np.zeros(m), np.empty(n), np.empty((m, v)), np.empty((m, v))
    moments = np.empty(m), np.empty(m), np.empty((m, m))
    small = np.empty(v), np.empty((v, v)), np.empty((v, v)), np.empty((v, 1)), np.empty((m, 2))
    return _Space(base, c, *law, *moments, *small)


@_jit
def _iterate(powers: Powers, weights: np.ndarray, space: _Space, u: np.ndarray, plain: int, limit: float) -> bool:
    """``plain`` steps of the plain iteration, then Newton's until one is below ``limit``; False if there is none."""
    for g in range(powers.truncation.size):
        if powers.truncation[g] > 0.0:
            u[g] = min(u[g], _FIRST * _bound(powers, g))
    for k in range(plain + _STEPS):
        _set_statistics(powers, weights, space, u)
        if k < plain:
            _step_plainly(powers, space, u)
        elif _newton_step(powers, space, u) < limit:
            return True
    return False


@_jit
def _newton_step(powers: Powers, space: _Space, u: np.ndarray) -> float:
    """A step towards s_g / E[uses_g] = 1, linear in s for a single site, and E[tilt] = 0; its length.

    Where alpha has a pole at 1 every share of 1 is its own use, also where there is no hole, and alpha that is matched may lead
    there: (s / (1 - s)) / (use / (1 - use)) = 1 asks for the other solution. Next to their bound, where alpha has its pole or its
    zero, lengths of shares are measured by the distance from it.
    """
    mean, cov, jacobian, step = space.mean, space.cov, space.matrix, space.step
    v, G = u.size, powers.truncation.size
    for i in range(v):
        ratio, factor = (u[i] / mean[i], -u[i] / mean[i] ** 2) if i < G else (0.0, 1.0)
        own, left = ratio, 1.0 - ratio
        held = i < G and _is_held(powers, i, u[i])
        matched = i < G and (space.level[i] != 0.0 or space.growth[i] != 0.0)
        if matched and powers.truncation[i] == 1.0 and powers.order[i] > 0.0 and mean[i] < 1.0 and u[i] < 1.0:
            left = np.log(mean[i] / (1.0 - mean[i]) * (1.0 - u[i]) / u[i])
            own, factor = 1.0 / (1.0 - u[i]), -1.0 / (mean[i] * (1.0 - mean[i]))
        for j in range(v):
            jacobian[i, j] = (0.0 if held else factor * cov[i, j]) + (own if i == j else 0.0)
        step[i, 0] = 0.0 if held else left if i < G else -mean[i]
    # covariances are derivatives by log s, and so is the step one of log s
    length = 0.0 if eliminate(jacobian, step) else np.inf
    for i in range(v):
        length = max(length, abs(step[i, 0])) if np.isfinite(step[i, 0]) else np.inf
    damp = min(1.0, _LONGEST / max(length, _TINY))
    for i in range(v):
        if i >= G:
            u[i] += damp * step[i, 0] if length < np.inf else 0.0
        else:
            new = u[i] * min(max(1.0 + damp * step[i, 0], 0.1), 10.0) if length < np.inf else mean[i]
            if powers.truncation[i] > 0.0 and not _is_held(powers, i, u[i]):
                new = _bounded(powers, i, u[i], new)
                length = max(length, abs(new - u[i]) / (_bound(powers, i) - new))
            u[i] = new
    return length


@_jit
def _bound(powers: Powers, g: int) -> float:
    """What the share of a group stays below: 1, or where its alpha is zero."""
    return 1.0 if powers.order[g] > 0.0 else 1.0 / powers.truncation[g]


@_jit
def _is_held(powers: Powers, g: int, share: float) -> bool:
    """Whether a share stays next to 1."""
    return powers.truncation[g] > 0.0 and powers.order[g] > 0.0 and share >= _HELD


@_jit
def _bounded(powers: Powers, g: int, old: float, new: float) -> float:
    """A new share that is not much closer to its bound than the old one, or held next to 1."""
    near = min(new, old + _APPROACH * (_bound(powers, g) - old))
    return _HELD if powers.order[g] > 0.0 and near > _FULL else near


@_jit
def _step_plainly(powers: Powers, space: _Space, u: np.ndarray) -> None:
    """s_g -> its use, and tau down the gradient of a convex function. Slow, but it does not diverge."""
    v, G = u.size, powers.truncation.size
    hessian, step = space.matrix[G:, G:], space.step[G:]
    for i in range(v - G):
        step[i, 0] = -space.mean[G + i]
        for j in range(v - G):
            hessian[i, j] = space.cov[G + i, G + j] + (1e-12 if i == j else 0.0)
    fine = eliminate(hessian, step)
    for i in range(v):
        if i < G:
            new = max(space.mean[i], 1e-14)
            u[i] = _bounded(powers, i, u[i], new) if powers.truncation[i] > 0.0 else new
        elif fine:
            u[i] += min(max(step[i - G, 0], -1.0), 1.0)


@_jit
def _set_scale(powers: Powers, space: _Space, u: np.ndarray) -> None:
    """S, and the monomials at given unknowns with what multiplies them."""
    G, total, scale = powers.truncation.size, space.total, space.scale
    total[:] = 0.0
    for g in range(G):
        total[powers.message[g]] += u[g]
    for m in range(scale.size):
        power = space.offset[m]
        for k in range(total.size):
            power += powers.usage[m, k] * np.log(max(total[k], _TINY))
        for g in range(G):
            if powers.columns[m, g] > 0.0:
                log_alpha = space.level[g] + space.growth[g] * u[g] - powers.order[g] * np.log1p(-powers.truncation[g] * u[g])
                power += powers.columns[m, g] * log_alpha
        for i in range(u.size - G):
            power += powers.tilt[m, i] * u[G + i]
        scale[m] = np.exp(power)


@_jit
def _set_uses(powers: Powers, space: _Space, u: np.ndarray) -> None:
    """What the equations average, and the derivatives of the monomials' logarithms, at given unknowns."""
    G, message = powers.truncation.size, powers.message
    for m in range(powers.usage.shape[0]):
        for g in range(G):
            k, columns = message[g], 0.0
            for h in range(G):
                columns += powers.columns[m, h] if message[h] == k else 0.0
            part = u[g] / max(space.total[k], _TINY)
            growth = space.growth[g] + powers.order[g] * powers.truncation[g] / (1.0 - powers.truncation[g] * u[g])
            space.uses[m, g] = powers.columns[m, g] + (powers.usage[m, k] - columns) * part
            space.slopes[m, g] = powers.usage[m, k] * part + powers.columns[m, g] * growth * u[g]
        for i in range(G, u.size):
            space.uses[m, i] = powers.tilt[m, i - G]
            space.slopes[m, i] = powers.tilt[m, i - G]


@_jit
def _set_statistics(powers: Powers, weights: np.ndarray, space: _Space, u: np.ndarray) -> None:
    """Mean of the uses under the monomials' shares of the determinant, averaged over sites, and its derivatives at fixed uses.

    What the uses themselves change by multiplies the difference of the uses of a message's row and columns, which vanishes at the
    solution.
    """
    _set_scale(powers, space, u)
    _set_uses(powers, space, u)
    set_shares(space.base, space.c, space.scale, weights, space.first, space.second)
    first, second, uses, slopes = space.first, space.second, space.uses, space.slopes
    m, v = uses.shape
    for i in range(v):
        space.mean[i] = 0.0
        for j in range(v):
            space.cov[i, j] = 0.0
    for a in range(m):
        for j in range(v):
            space.mean[j] += first[a] * uses[a, j]
            rest = first[a] * slopes[a, j]
            for b in range(m):
                rest -= second[a, b] * slopes[b, j]
            for i in range(v):
                space.cov[i, j] += uses[a, i] * rest


@_jit
def set_shares(base: np.ndarray, c: np.ndarray, scale: np.ndarray, w: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    """First (m,) and second (m, m) moments over sites of pi_m = c_m scale_m / (base + sum c scale)."""
    n, M = c.shape
    inverse, pi = np.empty(min(M, _STRETCH)), np.empty((n, min(M, _STRETCH)))
    first[:], second[:] = 0.0, 0.0
    for start in range(0, M, _STRETCH):
        size = min(_STRETCH, M - start)
        weights = w[start : start + size]
        _set_inverse(base, c, scale, start, inverse[:size])
        for m in range(n):
            f, row, share = scale[m], c[m, start : start + size], pi[m]
            for s in range(size):
                share[s] = f * row[s] * inverse[s]
        for m in range(n):
            one, acc = pi[m], 0.0
            for s in range(size):
                acc += weights[s] * one[s]
            first[m] += acc
            for k in range(m + 1):
                other, acc = pi[k], 0.0
                for s in range(size):
                    acc += weights[s] * one[s] * other[s]
                second[m, k] += acc
    for m in range(n):
        for k in range(m):
            second[k, m] = second[m, k]


@_jit
def _set_inverse(base: np.ndarray, c: np.ndarray, scale: np.ndarray, start: int, inverse: np.ndarray) -> None:
    """1 / (base + sum c scale) at the sites from ``start`` on."""
    first = base[start : start + inverse.size]
    for s in range(inverse.size):
        inverse[s] = first[s]
    for m in range(c.shape[0]):
        f, row = scale[m], c[m, start : start + inverse.size]
        for s in range(inverse.size):
            inverse[s] += f * row[s]
    for s in range(inverse.size):
        inverse[s] = 1.0 / max(inverse[s], _TINY)


@_jit
def _mean_log(base: np.ndarray, c: np.ndarray, scale: np.ndarray, w: np.ndarray) -> float:
    """E log(base + sum c scale)."""
    M, out = base.size, 0.0
    inverse = np.empty(min(M, _STRETCH))
    for start in range(0, M, _STRETCH):
        size = min(_STRETCH, M - start)
        weights = w[start : start + size]
        _set_inverse(base, c, scale, start, inverse[:size])
        for s in range(size):
            out -= weights[s] * np.log(inverse[s])
    return out


@_jit
def eliminate(A: np.ndarray, B: np.ndarray) -> bool:
    """Solve A X = B by elimination with pivots: X overwrites B, and A is lost; False where A is singular."""
    v, k = B.shape
    for i in range(v):
        pivot = i
        for r in range(i + 1, v):
            if abs(A[r, i]) > abs(A[pivot, i]):
                pivot = r
        if not abs(A[pivot, i]) > 0.0:
            return False
        if pivot != i:
            for j in range(v):
                A[i, j], A[pivot, j] = A[pivot, j], A[i, j]
            for j in range(k):
                B[i, j], B[pivot, j] = B[pivot, j], B[i, j]
        for r in range(i + 1, v):
            factor = A[r, i] / A[i, i]
            for j in range(i, v):
                A[r, j] -= factor * A[i, j]
            for j in range(k):
                B[r, j] -= factor * B[i, j]
    for i in range(v - 1, -1, -1):
        for j in range(k):
            for r in range(i + 1, v):
                B[i, j] -= A[i, r] * B[r, j]
            B[i, j] /= A[i, i]
    return True


# --- averages at solved unknowns


@_jit
def _averages(
    t: complex, terms: Terms, space: _Space, slope: np.ndarray, bend: np.ndarray, with_log: bool
) -> tuple[float, complex, float]:
    """E log(total), E ratio with ratio = d total / total, and E[d dbar total / total - |ratio|^2]; derivatives at fixed unknowns.

    Sets space.mixed to E[d term_m / total - pi_m ratio], the derivatives of the shares.
    """
    base, c, scale, mixed, w = space.base, space.c, space.scale, space.mixed, terms.weights
    n, M = c.shape
    most = min(M, _STRETCH)
    re, im, d_re, d_im = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    h, inverse = np.empty(most), np.empty(most)
    rows_re, rows_im = np.empty((n, most)), np.empty((n, most))
    mixed[:] = 0.0
    logs, sum_re, sum_im, sum_h = 0.0, 0.0, 0.0, 0.0
    for start in range(0, M, _STRETCH):
        size = min(_STRETCH, M - start)
        weights = w[start : start + size]
        _set_slopes_of_base(t, terms.chi, start, re[:size], im[:size], d_re[:size], d_im[:size], h[:size])
        _set_slopes_of_terms(terms, start, size, slope, rows_re, rows_im)
        for g in range(terms.monomial.size):
            factor, row = scale[terms.monomial[g]] * bend[terms.basis[g]], terms.gram[g, start : start + size]
            for s in range(size):
                h[s] += factor * row[s]
        for m in range(n):
            f, x, y = scale[m], rows_re[m], rows_im[m]
            for s in range(size):
                d_re[s] += f * x[s]
                d_im[s] += f * y[s]
        _set_inverse(base, c, scale, start, inverse[:size])
        for s in range(size):
            d_re[s] *= inverse[s]
            d_im[s] *= inverse[s]
        if with_log:
            for s in range(size):
                logs -= weights[s] * np.log(inverse[s])
        for s in range(size):
            sum_re += weights[s] * d_re[s]
            sum_im += weights[s] * d_im[s]
            sum_h += weights[s] * (h[s] * inverse[s] - d_re[s] * d_re[s] - d_im[s] * d_im[s])
        for m in range(n):
            row, x, y = c[m, start : start + size], rows_re[m], rows_im[m]
            acc_re, acc_im = 0.0, 0.0
            for s in range(size):
                acc_re += weights[s] * inverse[s] * (x[s] - row[s] * d_re[s])
                acc_im += weights[s] * inverse[s] * (y[s] - row[s] * d_im[s])
            mixed[m, 0] += scale[m] * acc_re
            mixed[m, 1] += scale[m] * acc_im
    return logs, complex(sum_re, sum_im), sum_h


@_jit
def _set_slopes_of_base(
    t: complex, chi: np.ndarray, start: int, re: np.ndarray, im: np.ndarray, d_re: np.ndarray, d_im: np.ndarray, h: np.ndarray
) -> None:
    """Derivatives of |chi|^2 at a stretch of sites: by t, chi' conj(chi), and by t and conj(t), |chi'|^2."""
    degree, size = chi.shape[0] - 1, re.size
    _site_determinants(t, chi, start, re, im)
    row = chi[degree, start : start + size]
    for s in range(size):
        d_re[s] = degree * row[s]
        d_im[s] = 0.0
    for power in range(degree - 1, 0, -1):
        row = chi[power, start : start + size]
        for s in range(size):
            x, y = d_re[s], d_im[s]
            d_re[s] = x * t.real - y * t.imag + power * row[s]
            d_im[s] = x * t.imag + y * t.real
    for s in range(re.size):
        x, y = d_re[s], d_im[s]
        h[s] = x * x + y * y
        d_re[s] = x * re[s] + y * im[s]
        d_im[s] = y * re[s] - x * im[s]


@_jit
def _set_slopes_of_terms(terms: Terms, start: int, size: int, slope: np.ndarray, rows_re: np.ndarray, rows_im: np.ndarray) -> None:
    """Derivatives by t of the coefficients of the monomials at a stretch of sites."""
    rows_re[:], rows_im[:] = 0.0, 0.0
    for g in range(terms.monomial.size):
        m, factor, row = terms.monomial[g], slope[terms.basis[g]], terms.gram[g, start : start + size]
        x, y = rows_re[m], rows_im[m]
        for s in range(row.size):
            x[s] += factor.real * row[s]
            y[s] += factor.imag * row[s]


@_jit
def _respond(space: _Space, G: int, response: np.ndarray) -> float:
    """What the unknowns' response takes from the density; sets ``response`` (v, 2) to minus their derivatives by lambda.

    The covariance is one step behind the unknowns, whose last step is tiny; so is the mean use, which equals s at the solution.
    It is taken rather than s: at the edge their difference is small, and must be that of one and the same place.
    """
    v = response.shape[0]
    moved = np.zeros((v, 2))
    response[:] = 0.0
    for m in range(space.mixed.shape[0]):
        for i in range(v):
            for part in range(2):
                response[i, part] += space.uses[m, i] * space.mixed[m, part]
                moved[i, part] += space.slopes[m, i] * space.mixed[m, part]
    for i in range(G):
        space.cov[i, i] -= space.mean[i]
    if not eliminate(space.cov, response):
        response[:] = np.nan
    out = 0.0
    for i in range(v):
        out += moved[i, 0] * response[i, 0] + moved[i, 1] * response[i, 1]
    return out
