"""Threads may share every object: four of them, switched every ten microseconds, get what one alone gets.

Each case makes a fresh object, so that what it keeps is made while all threads ask for it. Sums may come in another order where
what was kept first was made for another tolerance: equal to 1e-10, not to the bit.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from threading import Barrier

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt

N_THREADS = 4
GRU = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3})
RESET = {"gain": {"z": 1, "r": 8, "h": 2.5}, "bias": {"h": 0.1}}
LAM = np.array([0.5, 0.3 + 0.4j, 0.9 + 0.1j, -0.2])


@pytest.fixture
def fast_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def own_cell():
    h, y_z, y_h, p = sp.symbols("h y_z y_h p", real=True)
    z, new = gt.sigma(y_z), sp.tanh(y_h + p)
    return gt.Cell(
        name="own", state=[h], fields=[y_z, y_h], messages=[h, h], update=[z * h + (1 - z) * new], fixed_point=[new], parameters=[p]
    )


def of_spectra(spectrum):
    return {
        "edge": lambda: spectrum.edge_function(LAM),
        "radius": spectrum.radius,
        "abscissa": spectrum.abscissa,
        "density": lambda: spectrum.density(LAM),
        "potential": lambda: spectrum.potential(LAM),
        "resolvent": lambda: spectrum.resolvent(LAM),
        "mass": lambda: spectrum.mass(0.0, 0.5, 1e-3),
        "slow": lambda: spectrum.slow_fraction(5.0, 1e-3),
        "boundary": lambda: spectrum.boundary(32),
        "map": lambda: spectrum.density_map(4, (-1.0, 1.0, -1.0, 1.0)),
    }


def spectrum_of_a_fixed_point():
    spectrum = gt.Spectrum(gt.fixed_points(GRU)[-1])
    return {**of_spectra(spectrum), "outliers": spectrum.outliers}


def spectrum_of_the_zero_state():
    return of_spectra(gt.Spectrum(gt.fixed_points(GRU)[0]))


def spectrum_of_a_lstm():
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.LSTM, gain=3.0))[-1])
    return {"radius": spectrum.radius, "density": lambda: spectrum.density(LAM[:2]), "edge": lambda: spectrum.edge_function(LAM)}


def spectrum_of_sites():
    net = gt.Network.sample(GRU, 40, rng=0)
    return of_spectra(gt.Spectrum(net.sites(net.run(net.random_state(rng=1), 50))))


def fixed_point():
    point = gt.fixed_points(gt.Ensemble(gt.GRU, **RESET))[-1]
    return {
        "sites": lambda: point.sites.moments(),
        "coarse": lambda: point.sites_at(1e-3).moments(),
        "folded": lambda: point.sites_at(1e-4, fold=True).size,
        "check": point.check,
        "text": lambda: str(point),
    }


def typical_fixed_point():
    found = gt.complexity(gt.Ensemble(gt.Vanilla, gain=2.0))
    return {
        "sites": lambda: found.sites.moments(),
        "coarse": lambda: found.sites_at(1e-3).moments(),
        "radius": lambda: gt.Spectrum(found).radius(),
        "check": found.check,
    }


def ensemble_of_a_new_cell():
    cell = own_cell()
    ensemble = gt.Ensemble(cell, gain={"z": 1.0, "h": 2.0}, parameter_std=0.1)
    plain = gt.Ensemble(cell, gain={"z": 1.0, "h": 2.0})
    return {
        "jacobian": lambda: cell.check_jacobian(rng=0, n_points=8) < 1e-8,
        "names": lambda: (cell.message_names, cell.F_s, cell.M_y),
        "fixed points": lambda: [p.moments for p in gt.fixed_points(ensemble)],
        "onset": lambda: gt.onset(plain, "gain.h", (0.5, 2.0)),
        "fold": lambda: gt.fold(plain, "gain.h", (0.5, 2.0)),
        "radius": lambda: gt.Spectrum(gt.fixed_points(plain)[-1]).radius(),
        "complexity": lambda: gt.complexity(plain, "mean_field").value,
        "network": lambda: gt.Network.sample(ensemble, 10, rng=0).step(np.full((1, 10), 0.1)),
        "simulate": lambda: gt.simulate(ensemble, 50, 20, rng=0, tangent=True).growth,
    }


def ensemble_of_a_built_in_cell():
    ensemble = gt.Ensemble(gt.GRU, **RESET)
    return {
        "fixed points": lambda: [p.moments for p in gt.fixed_points(ensemble)],
        "steady": lambda: gt.steady_state(ensemble, 100, 40, rng=0, lyapunov_units=50).moments,
        "exponent": lambda: gt.largest_exponent(ensemble, 50, 20, rng=0),
        "kac-rice": lambda: gt.kac_rice(ensemble, 3, 100, rng=0).mean,
        "counts": lambda: gt.count_fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0), 3, 2, rng=0).counts,
        "design": lambda: gt.design(gt.GRU, {"abscissa": 0.9}, {"gain.r": 1.0}, free=("gain.h",)).solution,
        "diagram": lambda: gt.phase_diagram(ensemble, {"gain.h": [1.0, 3.0]}, ["count", "radius"])["radius"].values,
        "onset of counts": lambda: gt.complexity_onset(gt.Ensemble(gt.Vanilla), "gain.h", (0.5, 2.0)),
    }


def network():
    net = gt.Network.sample(gt.Ensemble(gt.LSTM, gain=2.0), 12, rng=0)
    state = net.random_state(rng=1)
    return {
        "step": lambda: net.step(state),
        "run": lambda: net.run(state, 20),
        "jacobian": lambda: net.jacobian(state),
        "eigenvalues": lambda: np.sort(np.abs(net.eigenvalues(state))),
        "push": lambda: net.push(state, np.ones(state.shape)),
        "determinant": lambda: net.log_det(LAM, state),
        "sites": lambda: net.sites(state).moments(),
        "fixed points": lambda: net.find_fixed_points(8, rng=0).states,
        "exponents": lambda: gt.lyapunov_spectrum(net, 3, 40, rng=0).exponents,
        "driven": lambda: net.driven(np.zeros((4, 12))).step(state),
    }


def flow():
    flow = gt.GRUFlow(U_h=[[3.0, -3.0], [3.0, 3.0]], U_r=[[0.1, 0.0], [0.0, 0.2]])
    cycle = gt.flow.find_cycle(flow, [0.1, 0.2])
    return {
        "field": lambda: flow([0.1, 0.2]),
        "jacobian": lambda: flow.jacobian([0.1, 0.2]),
        "residual": lambda: flow.residual([0.1, 0.2]),
        "bounds": lambda: flow.bounds,
        "euler": lambda: flow.euler([0.1, 0.2], 0.5, 10),
        "points": lambda: flow.fixed_points().states,
        "attractors": lambda: gt.flow.attractors(flow, 2, t_max=200.0).label,
        "cycle": lambda: gt.flow.find_cycle(flow, [0.1, 0.2]).period,
        "distance": lambda: cycle.distance([0.1, 0.2]),
        "states": lambda: cycle.states(20),
        "branch": lambda: gt.flow.continue_fixed_point(flow, "b_h[0]", (-0.1, 0.1), [0.0, 0.0]).values,
    }


def flow_of_a_new_cell():
    # compiled while the threads ask for it
    flow = gt.flow.Flow(own_cell(), {"z": [[1.0]], "h": [[2.0]]})
    return {"field": lambda: flow([0.1]), "jacobian": lambda: flow.jacobian([0.1]), "points": lambda: flow.fixed_points().states}


def flattened(value):
    """All numbers in a result, and all else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return flattened([getattr(value, f.name) for f in fields(value)])
    if isinstance(value, dict):
        return flattened(list(value.values()))
    if isinstance(value, (list, tuple)):
        return [x for item in value for x in flattened(item)]
    return [value]


def equal(found, expected):
    found, expected = flattened(found), flattened(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        if isinstance(b, (float, np.ndarray, np.number)):
            b = np.asarray(b)
            size = np.abs(b)[np.isfinite(b)].max(initial=0.0)  # small entries of an array may be differences of large ones
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10 * size)
        else:
            assert a == b


CASES = (
    spectrum_of_a_fixed_point,
    spectrum_of_the_zero_state,
    spectrum_of_a_lstm,
    spectrum_of_sites,
    fixed_point,
    typical_fixed_point,
    ensemble_of_a_new_cell,
    ensemble_of_a_built_in_cell,
    network,
    flow,
    flow_of_a_new_cell,
)


@pytest.mark.slow
@pytest.mark.parametrize("make", CASES)
def test_threads_get_what_one_gets(make, fast_switches):
    """Four threads that share an object get from it what one alone gets."""
    expected = {name: call() for name, call in make().items()}
    shared = make()
    names, together = list(shared), Barrier(N_THREADS)

    def work(thread):
        together.wait()
        order = names[thread % len(names) :] + names[: thread % len(names)]  # each begins with another call
        return {name: shared[name]() for name in order}

    with ThreadPoolExecutor(N_THREADS) as pool:
        for found in pool.map(work, range(N_THREADS)):
            for name in names:
                equal(found[name], expected[name])
