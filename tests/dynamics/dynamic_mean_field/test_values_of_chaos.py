"""Tables of chaos by two prototypes that share no code with the exact form, to the digits they were printed with [T8]."""

import numpy as np
import pytest

import gating_theory as gt

pytestmark = pytest.mark.nightly

#: Gain: (step, 0 for the flow; E h^2; exponent).
VANILLA = {
    1.5: [(1, 0.352602, 0.065217), (0.5, 0.332281, 0.045913), (0.25, 0.332301, 0.046330), (0, 0.332305, 0.046746)],
    2.0: [(1, 0.5303684, 0.1547242), (0.5, 0.4810712, 0.1077886), (0.25, 0.4811801, 0.1100916), (0, 0.4812013, 0.1124584)],
    3.0: [(1, 0.7005991, 0.3102493), (0.5, 0.6046531, 0.2161237), (0.25, 0.6050696, 0.2254015), (0, 0.6051473, 0.2354622)],
    4.0: [(0, 0.6542171, 0.3414721)],
}
ROWS = [(gain, *row) for gain, rows in VANILLA.items() for row in rows]


@pytest.mark.parametrize("gain, step, moment, exponent", ROWS)
def test_vanilla_networks(gain, step, moment, exponent):
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=gain), **({"step": step} if step else {"flow": True}))
    # six digits at gain 1.5; the flow's exponents were printed 2e-7 to 3e-6 above those that maps of small steps lead to
    assert abs(state.moments["h"] - moment) < (6e-7 if gain == 1.5 else 6e-8)
    assert abs(state.exponent - exponent) < (4e-6 if not step else 6e-7 if gain == 1.5 else 6e-8)


@pytest.mark.parametrize(
    "r, b_r, step, value",
    [
        (4, 0, 1.0, 1.9954779),
        (6, 0, 1.0, 1.9496883),
        (10, 0, 1.0, 1.8682263),
        (20, 0, 1.0, 1.7733680),
        (4, 0, 0.1, 1.9954654),
        (6, 0, 0.1, 1.9495211),
        (10, 0, 0.1, 1.8677179),
        (20, 0, 0.1, 1.7723271),
        (2, -1, 1.0, 3.680325),
        (4, -1, 1.0, 3.084655),
        (10, -1, 1.0, 2.344761),
    ],
)
def test_lines_of_the_gru(r, b_r, step, value):
    line = gt.chaos_line(gt.Ensemble(gt.GRU, gain={"z": 0, "r": r}, bias={"r": b_r}), "gain.h", step=step)
    assert line.discontinuous and abs(line - value) < (6e-7 if b_r else 6e-8)


@pytest.mark.parametrize("b, value", [(0.05, 1.8409778), (0.1, 1.8791181), (0.2, 1.8718495), (0.3, 1.8695289), (0.8, 1.8677650)])
def test_lines_of_slower_and_faster_units(b, value):
    """The update gate held at b, a_r = 10."""
    line = gt.chaos_line(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 10}, bias={"z": float(np.log(b / (1 - b)))}), "gain.h")
    assert abs(line - value) < 6e-8


@pytest.mark.parametrize("r, h, sigma", [(4, 1.9890, 0.075), (6, 1.9331, 0.14), (10, 1.8234, 0.18), (20, 1.6768, 0.18)])
def test_a_little_white_input_lowers_the_line(r, h, sigma):
    """The least a_h, to 1e-4, at which input of some size gives chaos: the exponent is zero there."""
    state = gt.dmft(gt.Ensemble(gt.GRU, gain={"z": 0, "r": r, "h": h}, input_std={"h": sigma}))
    assert abs(state.exponent) < 5e-4
