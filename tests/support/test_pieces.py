"""Vector-valued functions as quartics between halved nodes."""

import numpy as np

from gating_theory.support.pieces import resolve


def _resolved(function, low, high, allowed=1e-6, least=1e-6, parts=2):
    def at_each(points):
        return np.array([function(t) for t in points])

    return resolve(at_each, low, high, parts, lambda values: np.full(values.shape, allowed), lambda a, b: b - a <= least)


def test_pieces_join_and_are_as_good_as_asked_for():
    calls = []

    def function(t):
        calls.append(t)
        return np.array([np.sin(5 * t), 1 / (1 + 100 * t**2), 2.0])

    pieces = _resolved(function, -1.0, 2.0)
    assert len(calls) == len(set(calls))  # no node twice
    assert pieces[0].low == -1.0 and pieces[-1].high == 2.0 and all(p.trusted.all() for p in pieces)
    for left, right in zip(pieces[:-1], pieces[1:]):
        assert left.high == right.low
        np.testing.assert_array_equal(left.values[-1], right.values[0])
    for piece in pieces:
        t, values = piece.sampled(7)
        np.testing.assert_allclose(values, np.array([function(v) for v in t]), atol=1e-6)
    # nodes are where the function bends
    narrowest = min(pieces, key=lambda p: p.high - p.low)
    assert abs(narrowest.low) < 0.3 and narrowest.high - narrowest.low < 0.5 * (pieces[-1].high - pieces[-1].low)


def test_a_quartic_is_one_piece_in_two_halves():
    pieces = _resolved(lambda t: np.array([t**4 - t]), 0.0, 1.0, allowed=1e-12, parts=1)
    assert [(p.low, p.high) for p in pieces] == [(0.0, 0.5), (0.5, 1.0)]


def test_what_cannot_be_resolved_is_not_trusted():
    pieces = _resolved(lambda t: np.array([float(t > 0.3), t]), 0.0, 1.0, least=1e-3)
    doubtful = [p for p in pieces if not p.trusted[0]]
    assert doubtful and all(p.trusted[1] for p in pieces)
    assert all(p.high - p.low <= 1e-3 and p.low - 2e-3 < 0.3 < p.high + 2e-3 for p in doubtful)


def test_what_is_not_defined_is_not_looked_at():
    calls = []

    def function(t):
        calls.append(t)
        return np.array([np.sqrt(t) if t >= 0.3 else np.nan])

    pieces = _resolved(function, -8.0, 1.0, least=1e-3, parts=9)
    # its edge is found to the narrowest piece, and few nodes are spent on the rest
    untrusted = [p for p in pieces if not p.trusted[0]]
    assert all(abs(p.low - 0.3) < 3e-3 for p in untrusted) and untrusted
    assert sum(t < -0.5 for t in calls) < 9 * 8
