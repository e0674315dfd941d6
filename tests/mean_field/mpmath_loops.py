"""Closed loops of moments by plain trapezoidal sums in mpmath: an independent solution, no code of the package."""

import mpmath as mp

#: fixed_points aims at 1e-10 relative: its quadrature is at 1e-13 (two fields at once) or 1e-11 (more), its roots at 1e-14.
TOLERANCE = 1e-10


def mp_average(function, mean, std, digits=30):
    """E function(y), y ~ N(mean, std^2): a trapezoidal sum that is halved until it stands still."""
    if std == 0:
        return function(mean)
    with mp.workdps(digits):
        reach = mp.sqrt(2 * digits * mp.log(10))
        previous, step = None, mp.mpf(1) / 4
        while True:
            n = int(reach / step) + 1
            weights = [(i, mp.exp(-((i * step) ** 2) / 2)) for i in range(-n, n + 1)]
            total = mp.fsum(w * function(mean + std * i * step) for i, w in weights) / mp.fsum(w for _, w in weights)
            # the error squares when the step is halved: agreement to 1e-11 leaves about 1e-22
            if previous is not None and abs(total - previous) <= mp.mpf(10) ** -11 * abs(total):
                return total
            previous, step = total, step / 2


def mp_sigma(y):
    return 1 / (1 + mp.exp(-y))


def mp_solve(loop, start):
    """The solution of D = loop(D) next to start, by secant steps."""
    with mp.workdps(30):
        start = mp.mpf(start)
        return mp.findroot(lambda D: loop(D) - D, (start * mp.mpf("0.999"), start * mp.mpf("1.001")), tol=1e-36, maxsteps=12)


def mp_gru(a_r, a_h, b_r=0.0, b_h=0.0, s_r=0.0, s_h=0.0):
    a_r, a_h, b_r, b_h, s_r, s_h = map(mp.mpf, (a_r, a_h, b_r, b_h, s_r, s_h))

    def loop(D):
        r2 = mp_average(lambda y: mp_sigma(y) ** 2, b_r, mp.sqrt(a_r**2 * D + s_r**2))
        return mp_average(lambda y: mp.tanh(y) ** 2, b_h, mp.sqrt(a_h**2 * D * r2 + s_h**2))

    return loop
