"""The chaotic GRU of three units, and the cascade of period doublings that leads to it."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.flow import chaotic_gru, continue_cycle, find_cycle, poincare_section, section_diagram

START = [0.1, 0.2, 0.3]
#: Where the cycle of b_h[0] = .5 doubles its period: its critical multiplier, by the continuation of cycles.
FIRST = 0.2587701903


def test_three_units_are_chaotic():
    network = chaotic_gru()
    (origin,) = network.fixed_points("certified")
    assert origin.kind == "saddle" and origin.n_unstable == 2 and not np.round(origin.state, 12).any()
    found = gt.lyapunov_spectrum(network, time=2000.0, start=START, rng=0)
    assert found.status.code == "converged" and found.n_positive == 1 and found.n_zero == 1
    # .0820 +- .002, 0, -1.659: an average ten times as long
    assert (np.abs(found.exponents - [0.082, 0.0, -1.659]) < 5 * found.stderr + 2e-3).all()
    assert found.sum_rule[0] == pytest.approx(found.sum_rule[1], abs=1e-6)
    assert found.dimension == pytest.approx(2.05, abs=0.01)
    # two trajectories 1e-8 apart part at that rate, by scipy's integrator
    times = np.arange(0.0, 101.0, 5.0)
    starts = found.state + np.array([np.zeros(3), [1e-8, 0.0, 0.0]])
    one, other = (network.integrate(s, times, rtol=1e-12, atol=1e-14).y for s in starts)
    rate = np.polyfit(times, np.log(np.linalg.norm(one - other, axis=0)), 1)[0]
    assert 0.03 < rate < 0.16


def test_the_cascade(tmp_path):
    values = [0.5, 0.27, 0.22, 0.1]
    found = section_diagram(chaotic_gru(), "b_h[0]", values, START, 0, 0.1, 60, transient=1500.0, n_exponents=1, time=500.0)
    assert found.ok and found.level == 0.1
    # two crossings a turn; on the other side of the doubling twice as many; in chaos hardly one comes again
    different = found.distinct(1e-4)
    assert different[:3].tolist() == [2, 2, 4] and different[3] > 50
    assert np.abs(found.exponents[:3, 0]).max() < 0.02 and found.exponents[3, 0] > 0.05
    assert gt.load(gt.save(found, tmp_path / "cascade.json")) == found and "2 to " in str(found)


def test_sections_agree_with_the_cycle_on_both_sides_of_its_doubling():
    flow = chaotic_gru().replace("b_h[0]", 0.3)
    cycle = find_cycle(flow, START)
    section = poincare_section(flow, START, 0, 0.1, 6)
    assert cycle.distance(section.points).max() < 1e-6
    assert section.return_times[:2].sum() == pytest.approx(cycle.period, rel=1e-7)
    branch = continue_cycle(flow, "b_h[0]", (0.2, 0.35), cycle, direction=-1, max_points=60)
    doubling = next(b for b in branch.bifurcations if b.kind == "period_doubling")
    assert doubling.value == pytest.approx(FIRST, abs=1e-8)


def test_bad_arguments():
    network = chaotic_gru()
    for options, match in (
        ({"values": []}, "values"),
        ({"n_exponents": 4}, "n_exponents"),
        ({"time": 0.0}, "time"),
        ({"path": "b_q[0]"}, "b_q"),
    ):
        with pytest.raises(ValueError, match=match):
            section_diagram(network, **({"path": "b_h[0]", "values": [0.5], "start": START} | options))
    with pytest.raises(gt.ConvergenceError, match="no crossing"):
        section_diagram(network, "b_h[0]", [0.5], START, level=0.99, n_points=2, t_max=50.0, transient=50.0)
