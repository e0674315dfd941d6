"""Kernels in interval arithmetic, read in three ways: by numba ("validated"), by Python ("interpreted"), on rigorous primitives.

``gating_theory.flow.proof.intervals`` executes this file once for each and says which by the globals RIGOROUS: None, or the
rigorous primitives; and JIT: None for numba, or what stands in its place. So all run the same algorithm; what numba and Python make
of it are the same numbers, and the grade "certified" differs in its arithmetic alone. Nothing here depends on a
cell: its enclosures come as arguments, so that numba keeps the compiled code from one process to the next.
"""

import math

import numpy as np

__all__ = []

if globals().get("RIGOROUS") is None:
    if globals().get("JIT") is None:
        from ...support.machine_code import jit as _jit

        jit = _jit(error_model="numpy", nogil=True)
    else:
        jit = globals()["JIT"]

    #: Above twice the unit roundoff, so that the widened value is still outside after its own rounding; and for functions.
    _ROUNDING, _FUNCTION = 2.3e-16, 1.2e-15
    #: Covers underflow without making products that are slow because they underflow; and the start of overflow.
    _TINY, _LARGEST = 1e-150, 1.7e308

    # what overflowed upwards is still a lower bound at the largest float, and must not become inf - inf
    @jit
    def down(a):
        a = min(a, _LARGEST)
        return a - (abs(a) * _ROUNDING + _TINY)

    @jit
    def up(a):
        a = max(a, -_LARGEST)
        return a + (abs(a) * _ROUNDING + _TINY)

    @jit
    def below(value):
        value = min(value, _LARGEST)
        return value - abs(value) * _FUNCTION - _TINY

    @jit
    def above(value):
        return value + abs(value) * _FUNCTION + _TINY

    @jit
    def sigma_at(a):
        e = math.exp(-abs(a))
        return (1.0 if a >= 0.0 else e) / (1.0 + e)

    @jit
    def sigma_low(a):
        return below(sigma_at(a))

    @jit
    def sigma_high(a):
        return above(sigma_at(a))

    @jit
    def dsigma_at(a):
        e = math.exp(-abs(a))
        return e / ((1.0 + e) * (1.0 + e))

    @jit
    def dsigma_low(a):
        return below(dsigma_at(a))

    @jit
    def dsigma_high(a):
        return above(dsigma_at(a))

    @jit
    def sech2_at(a):
        e = math.exp(-2.0 * abs(a))
        return 4.0 * e / ((1.0 + e) * (1.0 + e))

    @jit
    def sech2_low(a):
        return below(sech2_at(a))

    @jit
    def sech2_high(a):
        return above(sech2_at(a))

    @jit
    def tanh_at(a):
        return math.tanh(a)

    @jit
    def tanh_low(a):
        return below(tanh_at(a))

    @jit
    def tanh_high(a):
        return above(tanh_at(a))

    @jit
    def exp_at(a):
        return math.inf if a > 709.78 else math.exp(a)  # Python refuses what overflows, from 709.783 on

    @jit
    def exp_low(a):
        return below(exp_at(a))

    @jit
    def exp_high(a):
        return above(exp_at(a))

else:
    globals().update(globals()["RIGOROUS"])

# --- arithmetic of pairs (low, high)


@jit
def add(al, ah, bl, bh):
    return down(al + bl), up(ah + bh)


@jit
def subtract(al, ah, bl, bh):
    return down(al - bh), up(ah - bl)


@jit
def shift(c, al, ah):
    return down(c + al), up(c + ah)


@jit
def scale(c, al, ah):
    a, b = c * al, c * ah
    if a != a or b != b:  # 0 times math.inf
        return 0.0, 0.0
    if c < 0.0:
        return down(b), up(a)
    return down(a), up(b)


@jit
def multiply(al, ah, bl, bh):
    a, b, c, d = al * bl, al * bh, ah * bl, ah * bh
    total = a + b + c + d
    if not total - total == 0.0:  # infinities, perhaps times 0
        if (al == 0.0 and ah == 0.0) or (bl == 0.0 and bh == 0.0):
            return 0.0, 0.0
        if al >= 0.0 and bl >= 0.0:
            return 0.0, math.inf
        return -math.inf, math.inf
    return down(min(min(a, b), min(c, d))), up(max(max(a, b), max(c, d)))


@jit
def power_below(a, n):
    value = 1.0
    for _ in range(n):
        value = max(0.0, down(value * a))
    return value


@jit
def power_above(a, n):
    value = 1.0
    for _ in range(n):
        value = up(value * a)
    return value


@jit
def power(al, ah, n):
    if al >= 0.0:
        return power_below(al, n), power_above(ah, n)
    if n % 2 == 1:
        high = power_above(ah, n) if ah > 0.0 else -power_below(-ah, n)
        return -power_above(-al, n), high
    if ah <= 0.0:
        return power_below(-ah, n), power_above(-al, n)
    return 0.0, power_above(max(-al, ah), n)


@jit
def reciprocal(al, ah):
    if al > 0.0 or ah < 0.0:
        return down(1.0 / ah), up(1.0 / al)
    return -math.inf, math.inf


@jit
def tanh(al, ah):
    return tanh_low(al), tanh_high(ah)


@jit
def sigma(al, ah):
    return sigma_low(al), sigma_high(ah)


@jit
def exp(al, ah):
    return exp_low(al), exp_high(ah)


# even functions that fall with |x|
@jit
def sech2(al, ah):
    if al > 0.0:
        return sech2_low(ah), sech2_high(al)
    if ah < 0.0:
        return sech2_low(al), sech2_high(ah)
    return sech2_low(max(-al, ah)), 1.0


@jit
def dsigma(al, ah):
    if al > 0.0:
        return dsigma_low(ah), dsigma_high(al)
    if ah < 0.0:
        return dsigma_low(al), dsigma_high(ah)
    return dsigma_low(max(-al, ah)), 0.25


@jit
def ramp(al, ah):
    return max(al, 0.0), max(ah, 0.0)


@jit
def step(al, ah):
    return (1.0 if al > 0.0 else 0.0), (0.0 if ah < 0.0 else 1.0)


@jit
def meet(al, ah, bl, bh):
    return max(al, bl), min(ah, bh)


# --- Krawczyk's operator, branch and prune

#: Room for roots and for undecided boxes; beyond, a search counts as incomplete.
MOST_ROOTS, MOST_UNDECIDED = 128, 2048

#: Boxes are cut off-centre, so that symmetric zeros do not fall on a cut.
_CUT = 0.4837

#: A box that shrinks by less than this factor is cut.
_SHRINK = 0.7

#: Boxes on whose faces a zero lies (h = 0 without biases) are tried again, larger by this part of their width and a constant.
_INFLATION, _MARGIN, _INFLATE_BELOW = 0.1, 1e-10, 0.3

#: A root's box is refined no further.
_TIGHT = 1e-15

#: Codes of what one application of the operator shows.
_NOTHING, _EMPTY, _UNIQUE = 0, 1, 2


@jit
def invert(A, Y):
    """Y about the inverse of A, by Gauss-Jordan with pivoting; False where A is singular."""
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            Y[i, j] = 1.0 if i == j else 0.0
    for c in range(n):
        pivot = c
        for i in range(c + 1, n):
            if abs(A[i, c]) > abs(A[pivot, c]):
                pivot = i
        top = A[pivot, c]
        if not abs(top) > 1e-200 or not abs(top) < 1e200:
            return False
        for j in range(n):
            A[c, j], A[pivot, j] = A[pivot, j], A[c, j]
            Y[c, j], Y[pivot, j] = Y[pivot, j], Y[c, j]
        for j in range(n):
            A[c, j] /= top
            Y[c, j] /= top
        for i in range(n):
            if i != c:
                factor = A[i, c]
                for j in range(n):
                    A[i, j] -= factor * A[c, j]
                    Y[i, j] -= factor * Y[c, j]
    return True


@jit
def operate(enclose, x, p, m, out, A, Y, image):
    """Phi and Krawczyk's operator on the box x. Returns (code, contracts); ``image`` becomes x met with both.

    ``enclose(x, m, p, out)`` fills the flat ``out`` with pairs (low, high): n of Phi(x), n of Phi(m), n * n of Phi'(x).
    """
    n = x.shape[0]
    for i in range(n):
        m[i] = 0.5 * (x[i, 0] + x[i, 1])
    enclose(x, m, p, out)
    for i in range(n):
        image[i, 0], image[i, 1] = x[i, 0], x[i, 1]
        if out[2 * i] > image[i, 0]:
            image[i, 0] = out[2 * i]
        if out[2 * i + 1] < image[i, 1]:
            image[i, 1] = out[2 * i + 1]
        if image[i, 0] > image[i, 1]:
            return _EMPTY, True
    for i in range(n):
        for j in range(n):
            k = 2 * (2 * n + i * n + j)
            if i == j:
                out[k], out[k + 1] = shift(-1.0, out[k], out[k + 1])
            A[i, j] = 0.5 * (out[k] + out[k + 1])
    if not invert(A, Y):
        return _NOTHING, False
    inside, contracts = True, True
    for i in range(n):
        low, high = 0.0, 0.0
        for j in range(n):  # m - Y F(m)
            fl, fh = subtract(out[2 * (n + j)], out[2 * (n + j) + 1], m[j], m[j])
            tl, th = scale(-Y[i, j], fl, fh)
            low, high = add(low, high, tl, th)
        low, high = shift(m[i], low, high)
        spread = 0.0
        for j in range(n):  # (1 - Y F'(x)) (x - m)
            sl, sh = (1.0, 1.0) if i == j else (0.0, 0.0)
            for k in range(n):
                at = 2 * (2 * n + k * n + j)
                tl, th = scale(-Y[i, k], out[at], out[at + 1])
                sl, sh = add(sl, sh, tl, th)
            dl, dh = subtract(x[j, 0], x[j, 1], m[j], m[j])
            tl, th = multiply(sl, sh, dl, dh)
            spread = max(spread, max(abs(sl), abs(sh)))
            low, high = add(low, high, tl, th)
        # written so that a value that is not a number proves nothing
        if not (low > x[i, 0] and high < x[i, 1]):
            inside = False
        if not spread < 0.9:
            contracts = False
        if low > image[i, 0]:
            image[i, 0] = low
        if high < image[i, 1]:
            image[i, 1] = high
        if image[i, 0] > image[i, 1]:
            return _EMPTY, True
    return (_UNIQUE if inside else _NOTHING), contracts


@jit
def width_of(x):
    n = x.shape[0]
    width = 0.0
    for i in range(n):
        width = max(width, x[i, 1] - x[i, 0])
    return width


@jit
def within(a, b):
    n = a.shape[0]
    for i in range(n):
        if a[i, 0] < b[i, 0] or a[i, 1] > b[i, 1]:
            return False
    return True


@jit
def apart(a, b):
    n = a.shape[0]
    for i in range(n):
        if a[i, 0] > b[i, 1] or a[i, 1] < b[i, 0]:
            return True
    return False


@jit
def copy(a, b):
    n = a.shape[0]
    for i in range(n):
        b[i, 0], b[i, 1] = a[i, 0], a[i, 1]


@jit
def leave(x, undecided, count, growth):
    """Add x to the undecided boxes: to one that it touches, which grows, or as a new one.

    Returns (number of undecided boxes, whether there was room).
    """
    n = x.shape[0]
    place = count
    for j in range(count):
        if not apart(x, undecided[j]):
            place = j
            break
    if place == undecided.shape[0]:
        return count, False
    box = undecided[place]
    if place == count:
        copy(x, box)
    width = 0.0
    for i in range(n):
        box[i, 0], box[i, 1] = min(box[i, 0], x[i, 0]), max(box[i, 1], x[i, 1])
    width = growth * width_of(box)
    for i in range(n):
        box[i, 0] -= width
        box[i, 1] += width
    return max(count, place + 1), True


@jit
def search(enclose, p, box, narrow, most_boxes, roots, unique, undecided):
    """All zeros of Phi(x) - x in a box; see ``flow/proof/branch_and_prune.py``.

    Fills ``roots``, ``unique`` and ``undecided``; returns (n_roots, n_undecided, n_boxes, finished).
    """
    n = box.shape[0]
    size = 2 * (2 * n + n * n)
    m, out = np.empty(n), np.empty(size)
    A, Y = np.empty((n, n)), np.empty((n, n))
    x, image, larger = np.empty((n, 2)), np.empty((n, 2)), np.empty((n, 2))
    stack = np.empty((512, n, 2))
    copy(box, stack[0])
    depth, n_boxes, n_roots, n_undecided, complete = 1, 0, 0, 0, True
    while depth > 0:
        depth -= 1
        copy(stack[depth], x)
        if n_boxes >= most_boxes or n_roots == roots.shape[0]:
            complete = False
            n_undecided, _ = leave(x, undecided, n_undecided, 0.0)
            continue
        verdict = _NOTHING
        while True:
            known = False
            for j in range(n_roots):
                if within(x, unique[j]):
                    known = True
            for j in range(n_undecided):
                if within(x, undecided[j]):
                    known = True
            if known:  # its only zero is in the list, or all of it counts as undecided already
                verdict = _EMPTY
                break
            width = width_of(x)
            n_boxes += 1
            verdict, contracts = operate(enclose, x, p, m, out, A, Y, image)
            if verdict == _EMPTY:
                break
            if verdict == _UNIQUE:
                copy(x, larger)
                break
            copy(image, x)
            if contracts and width_of(x) < _INFLATE_BELOW:
                for i in range(n):
                    margin = _INFLATION * (x[i, 1] - x[i, 0]) + _MARGIN
                    larger[i, 0], larger[i, 1] = x[i, 0] - margin, x[i, 1] + margin
                n_boxes += 1
                verdict, contracts = operate(enclose, larger, p, m, out, A, Y, image)
                if verdict != _NOTHING:
                    break
            if n_boxes >= most_boxes or width_of(x) > _SHRINK * width or width < narrow:
                break
        if verdict == _EMPTY:
            continue
        if verdict == _UNIQUE:
            # image encloses the only zero of larger: Krawczyk again and again, until it stands still
            copy(image, x)
            for _ in range(500):
                width = width_of(x)
                verdict, contracts = operate(enclose, x, p, m, out, A, Y, image)
                if verdict == _EMPTY:  # only by an enclosure that is none
                    complete = False
                    break
                copy(image, x)
                # in a wide box the operator contracts slowly at first, and quadratically in the end
                if not width_of(x) < 0.999 * width or width_of(x) < _TIGHT:
                    break
            same, unclear = False, False
            for j in range(n_roots):
                if within(x, unique[j]) or within(roots[j], larger):
                    same = True
                elif not apart(x, roots[j]):
                    unclear = True
            if same:
                continue
            if unclear:
                n_undecided, noted = leave(x, undecided, n_undecided, 0.0)
                complete = complete and noted
                continue
            copy(x, roots[n_roots])
            copy(larger, unique[n_roots])
            n_roots += 1
            continue
        if width_of(x) < narrow:
            n_undecided, noted = leave(x, undecided, n_undecided, 0.5)
            complete = complete and noted
            continue
        widest = 0
        for i in range(n):
            if x[i, 1] - x[i, 0] > x[widest, 1] - x[widest, 0]:
                widest = i
        cut = x[widest, 0] + _CUT * (x[widest, 1] - x[widest, 0])
        copy(x, stack[depth])
        stack[depth, widest, 1] = cut
        copy(x, stack[depth + 1])
        stack[depth + 1, widest, 0] = cut
        depth += 2
    return n_roots, n_undecided, n_boxes, complete


# --- types of fixed points

#: Codes of eigenvalues; UNDECIDED is that of the number of unstable directions too.
UNDECIDED, REAL, COMPLEX = -1, 0, 1
#: Rows of a Jacobian below this size are not classified.
TINIEST = 2.0**-960


@jit
def minor(A, size, subset, low, high):
    """(low, high) of the principal minor of A for the rows and columns of a bit set, by expansion over its subsets."""
    low[0], high[0] = 1.0, 1.0
    for columns in range(1, 1 << size):
        if columns & ~subset:
            continue
        members = 0
        for c in range(size):
            members += (columns >> c) & 1
        row, seen = 0, 0
        for r in range(size):
            if (subset >> r) & 1:
                seen += 1
                if seen == members:
                    row = r
        tl, th, above = 0.0, 0.0, 0
        for back in range(size):
            c = size - 1 - back
            if (columns >> c) & 1:
                rest = columns & ~(1 << c)
                al, ah = multiply(A[row, c, 0], A[row, c, 1], low[rest], high[rest])
                if above % 2 == 0:
                    tl, th = add(tl, th, al, ah)
                else:
                    tl, th = subtract(tl, th, al, ah)
                above += 1
        low[columns], high[columns] = tl, th
    return low[subset], high[subset]


@jit
def sign(low, high):
    if low > 0.0:
        return 1
    if high < 0.0:
        return -1
    return 0


@jit
def coefficients(A, size, poly, low, high):
    """poly[k] = (-1)^k times the sum of principal minors of k rows, rows scaled to order 1 and the largest factor divided out."""
    factor = np.empty(size)
    largest = 0.0
    for i in range(size):
        top = 0.0
        for j in range(size):
            top = max(top, max(abs(A[i, j, 0]), abs(A[i, j, 1])))
        power = 1.0
        if top < TINIEST:  # relative bounds on rounding end where numbers underflow: nothing is known but the size
            for j in range(size):
                A[i, j, 0], A[i, j, 1] = -1.0, 1.0
            power = 1.0 / TINIEST
        else:
            while power * top < 0.5:  # a power of two, so that scaling is exact
                power *= 2.0
            while top < 1e300 and power * top > 1.0:
                power *= 0.5
            for j in range(size):
                A[i, j, 0] *= power
                A[i, j, 1] *= power
        factor[i] = 1.0 / power
        largest = max(largest, factor[i])
    for k in range(size + 1):
        poly[k, 0], poly[k, 1] = 0.0, 0.0
    poly[0, 0], poly[0, 1] = 1.0, 1.0
    for subset in range(1, 1 << size):
        members, weight = 0, 1.0
        for i in range(size):
            if (subset >> i) & 1:
                members += 1
                weight *= factor[i] / largest
        al, ah = minor(A, size, subset, low, high)
        al, ah = scale(weight if members % 2 == 0 else -weight, al, ah)
        poly[members, 0], poly[members, 1] = add(poly[members, 0], poly[members, 1], al, ah)


@jit
def unstable(poly, size):
    if size == 2 and poly[2, 1] < 0.0:
        return 1  # whatever the trace is
    above, row = np.zeros((size + 2, 2)), np.zeros((size + 2, 2))
    for k in range(size + 1):
        target = above if k % 2 == 0 else row
        target[k // 2, 0], target[k // 2, 1] = poly[k, 0], poly[k, 1]
    changes, last = 0, 1
    for _ in range(size):
        here = sign(row[0, 0], row[0, 1])
        if here == 0:
            return UNDECIDED
        if here != last:
            changes += 1
        last = here
        dl, dh = reciprocal(row[0, 0], row[0, 1])
        ql, qh = multiply(above[0, 0], above[0, 1], dl, dh)
        for k in range(size + 1):
            tl, th = multiply(ql, qh, row[k + 1, 0], row[k + 1, 1])
            nl, nh = subtract(above[k + 1, 0], above[k + 1, 1], tl, th)
            above[k, 0], above[k, 1] = row[k, 0], row[k, 1]
            row[k, 0], row[k, 1] = nl, nh
    return changes


@jit
def rotates(poly, size):
    if size == 1:
        return REAL
    if size == 2:
        bl, bh = poly[1, 0], poly[1, 1]
        dl, dh = scale(4.0, poly[2, 0], poly[2, 1])
        top = max(abs(bl), abs(bh))
        least = 0.0 if bl <= 0.0 <= bh else min(abs(bl), abs(bh))
        sl, _ = multiply(least, least, least, least)
        _, sh = multiply(top, top, top, top)
        s = sign(*subtract(sl, sh, dl, dh))
    elif size == 3:
        # discriminant of x^3 + b x^2 + c x + d: 18 b c d - 4 b^3 d + b^2 c^2 - 4 c^3 - 27 d^2
        bl, bh, cl, ch, dl, dh = poly[1, 0], poly[1, 1], poly[2, 0], poly[2, 1], poly[3, 0], poly[3, 1]
        bcl, bch = multiply(bl, bh, cl, ch)
        bdl, bdh = multiply(bl, bh, dl, dh)
        b2l, b2h = multiply(bl, bh, bl, bh)
        c2l, c2h = multiply(cl, ch, cl, ch)
        t1 = scale(18.0, *multiply(bcl, bch, dl, dh))
        t2 = scale(-4.0, *multiply(b2l, b2h, bdl, bdh))
        t3 = multiply(b2l, b2h, c2l, c2h)
        t4 = scale(-4.0, *multiply(c2l, c2h, cl, ch))
        t5 = scale(-27.0, *multiply(dl, dh, dl, dh))
        total = add(*t1, *t2)
        total = add(*total, *t3)
        total = add(*total, *t4)
        total = add(*total, *t5)
        s = sign(*total)
    else:
        return UNDECIDED
    return REAL if s > 0 else COMPLEX if s < 0 else UNDECIDED


@jit
def classify(enclose, all_states, jacobian, root, p, states):
    """(n_unstable, rotation, index) of the fixed point in ``root``; fills ``states``. See ``flow/proof/stability.py``."""
    n, dim = root.shape[0], states.shape[0]
    most = max(n, dim)
    low, high = np.empty(1 << most), np.empty(1 << most)
    m, out, A = np.empty(n), np.empty(2 * (2 * n + n * n)), np.empty((most, most, 2))
    for i in range(n):
        m[i] = 0.5 * (root[i, 0] + root[i, 1])
    enclose(root, m, p, out)
    for i in range(n):
        for j in range(n):
            k = 2 * (2 * n + i * n + j)
            own = 1.0 if i == j else 0.0
            A[i, j, 0], A[i, j, 1] = subtract(own, own, out[k], out[k + 1])
    dl, dh = minor(A, n, (1 << n) - 1, low, high)
    flat = np.empty(2 * dim * dim)
    all_states(root, m, p, flat)
    for i in range(dim):
        states[i, 0], states[i, 1] = flat[2 * i], flat[2 * i + 1]
    jacobian(states, m, p, flat)
    for i in range(dim):
        for j in range(dim):
            k = 2 * (i * dim + j)
            A[i, j, 0], A[i, j, 1] = flat[k], flat[k + 1]
    poly = np.empty((dim + 1, 2))
    coefficients(A, dim, poly, low, high)
    return unstable(poly, dim), rotates(poly, dim), sign(dl, dh)


# --- one evaluation


@jit
def evaluate(function, x, m, p, out):
    """Call a function that came as an argument, for those who call from Python."""
    function(x, m, p, out)


# --- many networks


@jit
def sweep(enclose, all_states, jacobian, places, dim, flat, narrow, most_boxes, table, middles):
    """Search and classify for every row of ``flat``; see ``flow/topologies/sweep.py`` for the columns of the table.

    Middles of the first fixed points go into ``middles``, as many as there is room for.
    """
    n = places.shape[0]
    roots, unique = np.empty((MOST_ROOTS, n, 2)), np.empty((MOST_ROOTS, n, 2))
    undecided = np.empty((MOST_UNDECIDED, n, 2))
    line, box, states = np.empty((n, 2)), np.empty((n, 2)), np.empty((dim, 2))
    middle, bounds = np.zeros(n), np.empty(2 * dim)
    for i in range(n):
        line[i, 0], line[i, 1] = -np.inf, np.inf
    for b in range(flat.shape[0]):
        p = flat[b]
        all_states(line, middle, p, bounds)
        for i in range(n):
            box[i, 0], box[i, 1] = bounds[2 * places[i]], bounds[2 * places[i] + 1]
        n_roots, n_undecided, n_boxes, finished = search(enclose, p, box, narrow, most_boxes, roots, unique, undecided)
        for j in range(n_roots):
            n_unstable, _, index = classify(enclose, all_states, jacobian, roots[j], p, states)
            kind = 4 if n_unstable == UNDECIDED else 1 if n_unstable == 0 else 2 if n_unstable == dim else 3
            table[b, kind] += 1
            table[b, 6] += index
            if j < middles.shape[1]:
                for i in range(dim):
                    middles[b, j, i] = 0.5 * (states[i, 0] + states[i, 1])
        table[b, 0] = n_roots
        table[b, 5] = n_undecided
        table[b, 7] = n_boxes
        table[b, 8] = 1 if finished else 0
