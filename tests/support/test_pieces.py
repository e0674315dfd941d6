"""Vector-valued functions as quartics between halved nodes."""

import numpy as np

from gating_theory.support.pieces import resolve


def _resolved(function, low, high, allowed=1e-6, least=1e-6, parts=2):
    return resolve(function, low, high, parts, lambda values: np.full(values.shape, allowed), lambda a, b: b - a <= least)


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
