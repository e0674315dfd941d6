"""Where chaos begins, by theory: lines of the gated unit, and where they turn into jumps [T8]."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.dynamics.dynamic_mean_field.clock import Clock
from gating_theory.dynamics.dynamic_mean_field.driven_line import moving_by_lag, moving_by_paths
from gating_theory.dynamics.dynamic_mean_field.path_solver import Paths, start_spectra
from gating_theory.dynamics.dynamic_mean_field.ring import Ring, mean_of_ring
from gating_theory.dynamics.dynamic_mean_field.slow_states import bend_of_chaos


def gru(r, b_r=0.0, **more):
    return gt.Ensemble(gt.GRU, gain={"z": 0, "r": r}, bias={"r": b_r}, **more)


@pytest.mark.parametrize(
    "r, b_r, step, value, moment, exponent",
    [  # by an earlier prototype, which shares no code with this
        pytest.param(4, 0, 1.0, 1.9954779, 0.01462, 0.01047, marks=pytest.mark.nightly),
        (10, 0, 1.0, 1.8682263, 0.03693, 0.06352),
        pytest.param(6, 0, 1.0, 1.9496883, 0.03493, 0.03655, marks=pytest.mark.nightly),
        pytest.param(20, 0, 1.0, 1.7733680, 0.02664, 0.09489, marks=pytest.mark.nightly),
        pytest.param(4, 0, 0.1, 1.9954654, None, 0.01057, marks=pytest.mark.nightly),
        pytest.param(20, 0, 0.1, 1.7723271, None, 0.10151, marks=pytest.mark.nightly),
        pytest.param(2, -1, 1.0, 3.680325, 0.0549, 0.0212, marks=pytest.mark.nightly),
        pytest.param(4, -1, 1.0, 3.084655, 0.1236, 0.0826, marks=pytest.mark.nightly),
        pytest.param(10, -1, 1.0, 2.344761, 0.0916, 0.1216, marks=pytest.mark.nightly),
    ],
)
def test_the_line_of_the_gru(r, b_r, step, value, moment, exponent):
    """Values to the digits of an independent calculation, amplitudes and exponents at the jump."""
    line = gt.chaos_line(gru(r, b_r), "gain.h", step=step)
    assert abs(line - value) < (6e-7 if b_r else 6e-8) and line.discontinuous and line.kind == "chaos" and line.rising
    # the amplitude at a flat minimum is known to 3e-4 only, relative
    assert moment is None or abs(line.moments["h"] / moment - 1.0) < 1e-3
    assert abs(line.above[0] - exponent) < 1e-4
    assert line < gt.onset(line.ensemble, "gain.h")


def test_chaos_of_the_flow_and_where_it_is_continuous():
    assert abs(gt.chaos_line(gru(10), "gain.h", flow=True) - 1.867715) < 4e-6  # step .1: 1.8677179, "flow to 5 digits"
    # the fixed points are born by a fold already (sqrt 8 < 3.3), chaos is not
    line = gt.chaos_line(gru(3.3), "gain.h")
    assert line == gt.onset(gru(3.3), "gain.h") and not line.discontinuous
    assert gt.fold(gru(3.3), "gain.h") < 2.0


@pytest.mark.parametrize(
    "r, value, digits",
    [  # by the same prototype, to as many digits as it has
        (3.4, 2.0, 1e-9),  # below sqrt 12: continuous, at the onset
        (4, 1.994896, 6e-7),
        pytest.param(10, 1.859271, 6e-7, marks=pytest.mark.nightly),  # docs/guides/chaos.md has it in the suite
        pytest.param(6, 1.944738, 6e-7, marks=pytest.mark.nightly),
        pytest.param(20, 1.763956, 6e-7, marks=pytest.mark.nightly),
        pytest.param(50, 1.69123, 6e-6, marks=pytest.mark.nightly),
    ],
)
def test_the_line_of_the_gated_flow(r, value, digits):
    """Gates that follow at once: another line than the GRU's flow, and it jumps from the same reset gain on."""
    line = gt.chaos_line(gt.Ensemble(gt.KCSFast, gain={"z": 0, "r": r}), "gain.h", flow=True)
    assert abs(line - value) < digits and line.discontinuous == (r > np.sqrt(12.0))


def test_the_law_of_the_jump_of_the_gated_flow():
    found = gt.chaos_tricritical(gt.Ensemble(gt.KCSFast, gain={"z": 0}), "gain.r", "gain.h", flow=True)
    assert abs(found - np.sqrt(12.0)) < 2.0 * found.error


def test_a_white_state_jumps_where_its_fixed_points_do():
    """No memory at all: chaos begins at the mean field's fold."""
    ensemble = gru(10, matrices="iid").replace({"bias.z": -30.0})
    assert abs(gt.chaos_line(ensemble, "gain.h") - gt.fold(ensemble, "gain.h")) < 1e-7


@settings(max_examples=3, deadline=None, derandomize=True)
@given(a_z=st.floats(0.0, 10.0), b_r=st.floats(-3.0, 0.3), b_z=st.floats(-2.0, 2.0))
def test_the_law_of_the_jump(a_z, b_r, b_z):
    """a_r^2 (1 - s)(5 - 8 s) = 6, whatever the update gate."""
    s = 1.0 / (1.0 + np.exp(-b_r))
    ensemble = gru(1, b_r).replace({"bias.z": b_z, "gain.z": a_z})
    found = gt.chaos_tricritical(ensemble, "gain.r", "gain.h")
    assert abs(found - np.sqrt(6.0 / ((1.0 - s) * (5.0 - 8.0 * s)))) < 2.0 * found.error
    assert abs(found.ensemble.gain["h"] * s - 1.0) < 1e-9


@pytest.mark.parametrize("r", [pytest.param(2.0, marks=pytest.mark.nightly), 3.6])
def test_the_bend_of_small_chaos_by_the_exact_form(r):
    """Where nothing is expanded: (alpha - 1)/D of a state of amplitude 1e-4, alpha = a_h^2 / 4."""
    bend = bend_of_chaos(gt.onset(gru(r), "gain.h").ensemble, Clock(1.0, True))
    small = gt.dmft(gru(r).replace({"gain.h": 2.0}), flow=True, amplitude=1e-4, along="gain.h")
    # the next order is about (a_r^2/4)^2 D, a thousandth
    assert abs((small.ensemble.gain["h"] ** 2 / 4.0 - 1.0) / 1e-4 + bend) < 5e-3


def test_tricritical_points_of_other_cells_and_of_white_states():
    """LSTM: a_o^2 + a_i^2 + 4 a_f^2 = 96. Sites that forget at once: chaos follows the law of fixed points."""
    lstm = gt.chaos_tricritical(gt.Ensemble(gt.LSTM, gain={"f": 2.0, "i": 3.0}), "gain.o", "gain.g")
    assert abs(lstm**2 + 9.0 + 16.0 - 96.0) < 1e-8
    white = gru(1).replace({"bias.z": -30.0})
    found = gt.chaos_tricritical(white, "gain.r", "gain.h"), gt.chaos_tricritical(white, "gain.r", "gain.h", flow=True)
    np.testing.assert_allclose(found, np.sqrt([8.0, 12.0]), atol=1e-6)  # a leak of 1 - 1e-13 is not quite white


@pytest.mark.nightly
@pytest.mark.parametrize("leak, value", [(0.05, 1.8409778), (0.2, 1.8718495), (0.8, 1.8677650)])
def test_the_line_as_the_gate_opens(leak, value):
    """b = sigma(b_z) of the state is kept a step: by the same prototype."""
    ensemble = gru(10).replace({"bias.z": float(np.log(leak / (1.0 - leak)))})
    assert abs(gt.chaos_line(ensemble, "gain.h") - value) < 6e-8


def _by_paths(r, b_r, value, seed, **options):
    """The line of the exact form again, by the method of cells that have none: within two of its errors."""
    line = gt.chaos_line(gru(r, b_r), "gain.h", method="paths", rng=seed, **options)
    assert abs(line - value) < 2.0 * line.error and line.discontinuous
    return line


@pytest.mark.nightly
def test_by_paths_within_its_error():
    line = _by_paths(10, 0, 1.8682263, 3, tol=4e-3)
    assert line.error <= 4e-3 and abs(line.above[0] - 0.0635) < 4.0 * line.above[1]


@pytest.mark.nightly
@pytest.mark.parametrize("seed, r, value, tol", [(1, 10, 1.8682263, 1e-3), (2, 10, 1.8682263, 1e-3), (1, 20, 1.7733680, 2e-3)])
def test_by_paths_to_a_thousandth_or_two(seed, r, value, tol):
    """Not next to tricritical points: at a_r = 4, b_r = -1 (tricritical 1.697) .0013 is what 64 pairings reach."""
    line = _by_paths(r, 0, value, seed, tol=tol)
    assert line.error <= tol and line.status.ok


@pytest.mark.nightly
def test_an_error_that_is_not_reached_is_said():
    line = gt.chaos_line(gru(10), "gain.h", method="paths", n_sites=200, refine=5, tol=1e-5)
    assert line.error > 1e-5 and not line.status.ok and "1e-05, was not reached" in str(line)


def test_pairings_are_as_good_as_more_sites():
    """Spectra of sites whose fields are paired anew, against those of fresh sites."""
    ensemble = gru(10).replace({"gain.h": 1.9})
    ring = Ring(ensemble, Clock(1.0, False), 64, 500, 1)
    start = start_spectra(ensemble, ring.clock, 64, 3.0, 0.05)
    fresh = np.array([mean_of_ring(ring.image(start, chunk)) for chunk in range(1, 33)])
    paired = np.array([mean_of_ring(ring.paired_image(start, chunk, 8)) for chunk in range(41, 49)])
    error = np.hypot(fresh.std(axis=0, ddof=1) / np.sqrt(32), paired.std(axis=0, ddof=1) / np.sqrt(8))
    assert (np.abs(fresh.mean(axis=0) - paired.mean(axis=0)) < 4.0 * error).all()
    # what scatters in E (r h)^2 is the product: sixfold less variance where eightfold is the most, and a factor of 2 for luck
    assert paired[:, 1].var(ddof=1) < fresh[:, 1].var(ddof=1) / 3.0


@pytest.mark.parametrize(
    "which, value, at",
    [
        pytest.param("input_std", 0.18, 1.8234, marks=pytest.mark.nightly),  # docs/guides/chaos.md has it in the suite
        pytest.param("input_std", 0.05, None, marks=pytest.mark.nightly),
        pytest.param("bias_std", 0.05, None, marks=pytest.mark.nightly),
    ],
)
def test_where_there_is_no_zero_state(which, value, at):
    """Chaos under input: its exponent is zero on the line, or a frozen pattern's fixed point marginal, by other calculators."""
    ensemble = gru(10).replace({f"{which}.h": value})
    line = gt.chaos_line(ensemble, "gain.h", (1.5, 2.2))
    assert at is None or abs(line - at) < 1e-4  # printed to that by an earlier prototype, for the best strength of input
    assert line.error < 1e-6 and line.kind == "chaos"
    if line.discontinuous:
        assert line.above[0] > 0.0
    elif which == "bias_std":
        (point,) = gt.fixed_points(line.ensemble)
        assert abs(gt.Spectrum(point).abscissa() - 1.0) < 1e-6
    else:
        assert abs(gt.dmft(line.ensemble).exponent) < 1e-6
    with pytest.raises(gt.NoCriticalValue, match="lower of the bounds"):
        gt.chaos_line(ensemble, "gain.h", (2.2, 2.4))


@pytest.mark.parametrize("clock", [Clock(1.0, False), Clock(0.2, True)])
def test_what_does_not_move_has_the_rate_of_its_fixed_point(clock):
    """A frozen pattern below the line: by paths as by the exact form, which has the fixed point from its own equations."""
    ensemble = gru(10, bias_std={"h": 0.2}).replace({"gain.h": 1.4})
    found, exact = moving_by_paths(ensemble, Paths(clock, None, 500, 5, 3)), moving_by_lag(ensemble, clock)
    assert abs(found.exponent - exact.exponent) < 1e-8 and exact.exponent < 0.0
    assert abs(found.moments["h"] / exact.moments["h"] - 1.0) < 0.1  # 2500 sites of a state that stands still


@pytest.mark.nightly
def test_a_line_without_a_zero_state_by_paths():
    ensemble = gru(10, input_std={"h": 0.18})
    line = gt.chaos_line(ensemble, "gain.h", (1.6, 2.0), method="paths", n_sites=500, refine=5, tol=2e-3, rng=0)
    assert abs(line - 1.8234432) < 2.0 * line.error and line.error < 0.01 and not line.discontinuous


def test_the_line_in_a_phase_diagram():
    """Without noise, beside what simulations give; along one path by name."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0})
    data = gt.phase_diagram(ensemble, {"gain.r": [2.0, 10.0]}, ["chaos_line:gain.h"])
    np.testing.assert_allclose(data["chaos_line:gain.h"], [2.0, 1.8682263], atol=6e-8)
    flags = data["chaos_line_status:gain.h"]
    words = [flags.attrs["flag_meanings"].split()[int(flag)] for flag in flags]
    assert words == ["continuous", "discontinuous"] and float(data["chaos_line_error:gain.h"].max()) < 1e-7
    with pytest.raises(gt.NoCriticalValue, match="below the bounds"):
        gt.critical(gru(10), "gain.h", "chaos_line", bounds=(1.9, 3.0))


def test_the_line_in_a_plane():
    """Points of it are those along one path, also where the onset is not within the bounds."""
    line = gt.critical_line(gru(0), ("gain.r", "gain.h"), "chaos_line", bounds=((8, 10), (1.85, 1.95)), n_points=2)
    assert line.ok and abs(line.curves[0].y[-1] - 1.8682263) < 6e-8 and line.curves[0].x[-1] == 10.0
    with pytest.raises(ValueError, match="value must be None"):
        gt.critical_line(gru(0), ("gain.r", "gain.h"), "chaos_line", 0.0, bounds=((0, 10), (1, 3)))


@pytest.mark.nightly
def test_the_line_turns_into_a_jump_in_a_plane():
    """Continuous at a_h = 2 for weak reset gates, below it for steep ones."""
    line = gt.critical_line(gru(0), ("gain.r", "gain.h"), "chaos_line", bounds=((0, 10), (1.8, 2.1)), n_points=3)
    (curve,) = line.curves
    assert line.ok and len(curve.x) >= 3 and abs(curve.x[[0, -1]] - [0.0, 10.0]).max() < 1e-12
    np.testing.assert_allclose(curve.y[[0, -1]], [2.0, 1.8682263], atol=6e-8)


def test_the_tricritical_point_in_a_phase_diagram():
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.r": [1.0], "gain.h": [2.0]}, "chaos_tricritical:gain.r,gain.h")
    assert abs(float(data["chaos_tricritical:gain.r,gain.h"]) - np.sqrt(12.0)) < 1e-9
    assert abs(float(data["chaos_tricritical_onset:gain.r,gain.h"]) - 2.0) < 1e-9
    with pytest.raises(ValueError, match="takes two paths"):
        gt.critical(gru(10), "gain.h", "chaos_tricritical")


def test_what_has_no_line_is_refused():
    with pytest.raises(ValueError, match="bounds must be given"):
        gt.chaos_line(gru(10, input_std={"h": 0.1}), "gain.h")
    with pytest.raises(gt.CapabilityError, match="no limit in continuous time"):
        gt.chaos_line(gru(10, input_std={"r": 0.1}), "gain.h", (1.0, 3.0), flow=True)
    with pytest.raises(gt.CapabilityError, match="constant leak"):
        gt.chaos_line(gru(10).replace({"gain.z": 1.0}), "gain.h", method="lag")
    with pytest.raises(gt.NoCriticalValue, match="no critical value"):
        gt.chaos_tricritical(gru(10), "gain.r", "gain.h", (5.0, 10.0))
