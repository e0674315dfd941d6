"""A table of named numbers over every calculator of the package, to hold a rewrite against the code before it.

    python benchmarks/table.py --write before.json      # on the old code
    python benchmarks/table.py --compare before.json    # on the new one: exit code 1 if anything differs
    python benchmarks/table.py --only spectrum/LSTM     # print those whose name begins so (goes with the others)

A snapshot proves nothing about correctness (the tests do that); it tells whether moved code still does the same. Only public names
are used, so that the script runs unchanged before and after. Everything is seeded, one process, one BLAS thread, one to two minutes
of processor time. Numbers agree if they differ by at most 1e-13 max(1, |before|), on the same machine with the same libraries.
Whole arrays enter as checksums that feel every entry and its place; those whose order says nothing (eigenvalues) as plain sums.

All of them are repeatable from process to process; slow fractions and masses to one unit in the last place, the others to the bit.
Runs that amplify rounding (chaotic states, closed curves of a map, iterations that stop at a tolerance) move by more than 1e-13 if
operations are merely reordered: a difference there alone is a question, not yet an error.

Left out, because they are rounding errors and not results: residuals, estimated quadrature errors, closure of cycles, Liouville
checks, the trivial multiplier. Left out because they are no numbers: texts, pictures, the command line.
"""

from __future__ import annotations

import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # read by BLAS and numba when they are imported

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import pickle  # noqa: E402
import platform  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

import gating_theory as gt  # noqa: E402

#: What two equal numbers may differ by, relative to the larger of 1 and the number.
TOLERANCE = 1e-13

#: {first part of the names: function that gives them}, in the order of definition.
GROUPS = {}


def group(name):
    """Decorator: the function gives the numbers below ``name``, as a nested dict of numbers."""

    def register(function):
        GROUPS[name] = function
        return function

    return register


# --- small tools


def checksum(values):
    """sum_i x_i cos(i): one number that feels every entry of an array and its place; NaN counts as 3, infinity as 7."""
    x = np.asarray(list(values.values()) if isinstance(values, dict) else values).ravel()
    wave = np.cos(np.arange(x.size))
    if np.iscomplexobj(x):
        return complex(math.fsum(x.real * wave), math.fsum(x.imag * wave))
    return math.fsum(np.nan_to_num(x.astype(float), nan=3.0, posinf=7.0, neginf=-7.0) * wave)


def total(values):
    """Sum of |x| over an array, whatever the order."""
    return math.fsum(np.sort(np.abs(np.asarray(values)).ravel()))


def flat(tree, prefix=""):
    """Nested dicts as one dict from path to float; sequences by index, complex numbers as two."""
    if isinstance(tree, dict):
        items = {str(key): value for key, value in tree.items()}
    elif isinstance(tree, (list, tuple, np.ndarray)) and np.ndim(tree) > 0:
        items = {str(i): value for i, value in enumerate(tree)}
    elif isinstance(tree, (complex, np.complexfloating)):
        items = {"real": tree.real, "imag": tree.imag}
    else:
        return {prefix: float(tree)}
    return {name: x for key, value in items.items() for name, x in flat(value, f"{prefix}/{key}" if prefix else key).items()}


# --- ensembles


def own_cell(closed_form=True):
    """A cell of our own with two messages, a gate that leaks and resets; or one whose sites have no closed form."""
    import sympy

    h, y_z, y_h = sympy.symbols("h y_z y_h", real=True)
    z, n = gt.sigma(y_z), sympy.tanh(y_h)
    if not closed_form:
        return gt.Cell(name="bent", state=[h], fields=[y_h], messages=[h], update=[sympy.tanh(y_h + h / 2)])
    update = [z * h + (1 - z) * n]
    return gt.Cell(name="leaky", state=[h], fields=[y_z, y_h], messages=[h, z * h], update=update, fixed_point=[n])


def ensembles():
    """One lively ensemble of every cell with a mean field."""
    return {
        "Vanilla": gt.Ensemble(gt.Vanilla, gain=2),
        "GRU": gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}, bias={"z": 0.5}),
        "GRUResetAfter": gt.Ensemble(gt.GRUResetAfter, gain={"z": 1, "r": 2, "h": 4}, bias={"h": 0.1}, parameter_std=0.2),
        "MGU": gt.Ensemble(gt.MGU, gain={"f": 2, "h": 4}),
        "LiGRUTanh": gt.Ensemble(gt.LiGRUTanh, gain={"z": 3, "h": 2}, bias_std=0.1),
        "LSTM": gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 3, "g": 3, "o": 2}),
        "CoupledLSTM": gt.Ensemble(gt.CoupledLSTM, gain={"f": 2, "g": 4, "o": 2}, bias={"f": 1}),
        "JANET": gt.Ensemble(gt.JANET, gain={"f": 1, "g": 2}, parameter=1.0),
        "own": gt.Ensemble(own_cell(), gain={"h": 4}),
        "own/open": gt.Ensemble(own_cell(closed_form=False), gain=1.5),
    }


def small_network(cell="GRU", n_units=16, **options):
    """A small random network with spreads of everything."""
    options = {"gain": 2.0, "bias_std": 0.3, **options}
    return gt.Network.sample(gt.Ensemble(getattr(gt, cell), **options), n_units, rng=1)


# --- mean field


@group("fixed_points")
def fixed_points():
    """All solutions' moments, cell by cell; several solutions, biases, spreads and inputs."""
    cases = ensembles() | {
        "GRU/fold": gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}),
        "GRU/biased": gt.Ensemble(gt.GRU, gain={"r": 3, "h": 5}, bias={"r": -1, "h": 0.2}, bias_std=0.1, input_std={"h": 0.3}),
        "Vanilla/driven": gt.Ensemble(gt.Vanilla, gain=1.5, bias=0.3, bias_std=0.2, input_std=0.4),
        "LSTM/biased": gt.Ensemble(gt.LSTM, gain={"f": 1, "g": 3}, bias={"f": 1, "g": 0.3}, bias_std={"o": 0.5}, input_std=0.2),
    }
    out, counts = {}, []
    for name, ensemble in cases.items():
        points = gt.fixed_points(ensemble)
        out[name] = {"moments": points[-1].moments}
        counts.append(len(points))
        if len(points) > 2:
            out[name]["lower"] = points[1].moments
    out["LSTM/biased"] |= {"field_mean": checksum(points[-1].field_mean), "field_std": checksum(points[-1].field_std)}
    return out | {"counts": checksum(counts)}


@group("critical")
def critical():
    """Onsets, folds and tricritical points."""
    gru, lstm = gt.Ensemble(gt.GRU, gain={"r": 4}), gt.Ensemble(gt.LSTM)
    shy = gru.replace({"bias.r": -1.0})
    fold = {
        "GRU": gt.fold(gru, "gain.h"),
        "GRU/shy": gt.fold(shy, "gain.h"),
        "GRU/biased": gt.fold(gt.Ensemble(gt.GRU, gain={"r": 10}, bias={"h": 0.02}), "gain.h"),
        "LSTM": gt.fold(lstm.replace({"gain.f": 5}), "gain.g"),
    }
    return {
        "onset": {
            "Vanilla": gt.onset(gt.Ensemble(gt.Vanilla), "gain.h"),
            "GRU": gt.onset(shy, "gain.h"),
            "GRU/bias": gt.onset(gt.Ensemble(gt.GRU, gain=3), "bias.r"),
            "GRUResetAfter": gt.onset(gt.Ensemble(gt.GRUResetAfter, bias={"r": 0.5}), "gain.h"),
            "LSTM": gt.onset(gt.Ensemble(gt.LSTM, bias={"f": 1, "o": -1}), "gain.g"),
            "CoupledLSTM": gt.onset(gt.Ensemble(gt.CoupledLSTM, bias={"o": 1}), "gain.g"),
            "own": gt.onset(gt.Ensemble(own_cell()), "gain.h"),
        },
        "fold": {name: {"value": value, "moments": checksum(value.moments)} for name, value in fold.items()},
        "tricritical": {
            "GRU": gt.tricritical(gru, "gain.r", along="gain.h"),
            "GRU/shy": gt.tricritical(shy, "gain.r", along="gain.h"),
            "LSTM/o": gt.tricritical(lstm, "gain.o", along="gain.g"),
            "LSTM/f": gt.tricritical(lstm, "gain.f", along="gain.g"),
        },
    }


@group("sites")
def sites():
    """Averages over the populations of sites."""
    out = {}
    for name in ("GRU", "GRUResetAfter", "LSTM"):
        population = gt.fixed_points(ensembles()[name])[-1].sites_at(1e-4)
        out[name] = {
            "size": population.size,
            "state": population.mean(population.state**2),
            "fields": checksum(population.mean(population.fields**2)),
            "moments": checksum(population.moments()),
        }
    return out


# --- spectra


def spectrum_numbers(spectrum):
    """What a Spectrum says at points inside and outside its support."""
    inside, outside = 0.3 + 0.3j, 1.2 + 0.9j
    return {
        "edge": checksum(spectrum.edge_function(np.array([inside, outside]))),
        "radius": spectrum.radius(),
        "abscissa": spectrum.abscissa(),
        "potential": checksum(spectrum.potential(np.array([inside, outside]))),
        "resolvent": complex(spectrum.resolvent(inside)),
        "density": spectrum.density(inside),
        "mass": spectrum.mass(0.5, 0.3),
        "slow_fraction": spectrum.slow_fraction(10),
        "boundary": total(np.concatenate(spectrum.boundary(64))),
    }


@group("spectrum")
def spectra():
    """Spectra at mean-field fixed points."""
    out = {}
    for name in ("GRU", "GRUResetAfter", "MGU", "LSTM", "CoupledLSTM", "own"):
        spectrum = gt.Spectrum(gt.fixed_points(ensembles()[name])[-1])
        out[name] = spectrum_numbers(spectrum) | {"outliers": total(spectrum.outliers())}
    spectrum = gt.Spectrum(gt.fixed_points(ensembles()["GRU"])[-1])
    out["GRU"]["density_map"] = checksum(np.concatenate([part.ravel() for part in spectrum.density_map(16)]))
    lower = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}))[1])
    return out | {"GRU/lower": {"radius": lower.radius(), "outliers": total(lower.outliers())}}


@group("spectrum_of_sites")
def spectra_of_sites():
    """Spectra of the sites of sampled networks, and of one whose sites have no closed form."""
    out = {}
    for name, spread in (("GRU", {}), ("PeepholeLSTM", {"parameter_std": 1.0})):
        net = small_network(name, 40, gain=3.0, **spread)
        state = net.run(net.random_state(rng=2), 5)
        out[name] = spectrum_numbers(gt.Spectrum.from_sites(net.sites(state)))
    return out


# --- counting


@group("complexity")
def complexities():
    """Rates of the number of fixed points, and a typical one's spectrum."""
    cases = {
        "Vanilla": gt.Ensemble(gt.Vanilla, gain=3),
        "GRU": gt.Ensemble(gt.GRU, gain={"h": 4, "r": 4}),
        "LSTM": gt.Ensemble(gt.LSTM, gain={"f": 1, "g": 5}),
        "own/open": ensembles()["own/open"],
    }
    out = {}
    for name, ensemble in cases.items():
        annealed = gt.complexity(ensemble)
        out[name] = {
            "annealed": {"value": annealed.value, "moments": annealed.moments},
            "mean_field": gt.complexity(ensemble, method="mean_field").value,
        }
    typical = gt.Spectrum(gt.complexity(cases["Vanilla"]))
    out["Vanilla"]["typical"] = {
        "edge": typical.edge_function(1.0),
        "radius": typical.radius(),
        "outliers": total(typical.outliers()),
    }
    return out | {"GRU/below": {"rate": gt.complexity(gt.Ensemble(gt.GRU, gain={"h": 1.88, "r": 4})).rate}}


@group("complexity_onset")
def complexity_onset():
    """Where fixed points begin to abound, before the fold of mean-field theory."""
    value = gt.complexity_onset(gt.Ensemble(gt.GRU, gain={"r": 4}), "gain.h")
    biased = gt.complexity_onset(gt.Ensemble(gt.Vanilla, gain=2, bias=0.2), "gain.h")
    return {"GRU": {"value": value, "moments": value.moments}, "Vanilla/biased": biased}


@group("kac_rice")
def kac_rice():
    """Exact mean numbers of fixed points of small networks, from few samples."""
    out = {}
    for name, ensemble in {"Vanilla": gt.Ensemble(gt.Vanilla, gain=2), "GRU": gt.Ensemble(gt.GRU, gain={"h": 4, "r": 4})}.items():
        result = gt.kac_rice(ensemble, n_units=4, n_samples=300, rng=0)
        out[name] = {key: getattr(result, key) for key in ("mean", "degree", "effective")}
    return out


@group("count_fixed_points")
def enumeration():
    """All fixed points of small networks."""
    result = gt.count_fixed_points(gt.Ensemble(gt.GRU, gain={"h": 4, "r": 8}), n_units=4, n_networks=12, rng=0, points=True)
    biased = gt.count_fixed_points(gt.Ensemble(gt.LSTM, gain={"g": 6}, bias_std=0.2), n_units=3, n_networks=6, rng=1)
    return {
        "GRU": {
            "counts": checksum(result.counts),
            "mean": result.mean,
            "mean_log": result.mean_log,
            "degree_passed": result.degree_passed,
            "points": total(np.concatenate([p.ravel() for p in result.points])),
            "matrices": checksum(result.network(3).matrices),
        },
        "LSTM": {"counts": checksum(biased.counts), "stderr": biased.mean_stderr, "missing": checksum(biased.n_missing)},
    }


# --- networks


@group("network")
def networks():
    """One sampled network: what it is made of and what is made of it."""
    net = small_network(input_std={"h": 0.2})
    state = net.run(net.random_state(rng=2), 5, rng=3)
    eigenvalues = net.eigenvalues(state)
    batch = gt.Network.sample(net.ensemble, 6, rng=4, batch=3)
    other = net.driven(np.random.default_rng(5).standard_normal((3, 16)))
    return {
        "matrices": checksum(net.matrices),
        "biases": checksum(net.biases),
        "input": checksum(net.input),
        "run": checksum(state),
        "run_frozen": checksum(net.run(state, 5, input="frozen", trajectory=True)),
        "fields": checksum(net.fields(state)),
        "trace": np.trace(net.jacobian(state)),
        "eigenvalues": total(eigenvalues),
        "radius": np.abs(eigenvalues).max(),
        "log_det": checksum(net.log_det(np.array([0.9, 0.3 + 0.4j]), state)),
        "sites": checksum(net.sites(state).moments()),
        "driven": checksum(other.step(state)),
        "batch": {"matrices": checksum(batch.matrices), "run": checksum(batch.run(batch.random_state(rng=6), 3, rng=7))},
    }


@group("cells")
def cells():
    """A step and a Jacobian of every built-in cell."""
    names = ("Vanilla", "GRU", "GRUResetAfter", "MGU", "LiGRU", "LiGRUTanh", "LSTM", "CoupledLSTM", "PeepholeLSTM", "JANET")
    out = {}
    for name in names:
        spread = {"parameter_std": 0.4} if getattr(gt, name).parameters else {}
        net = small_network(name, 6, **spread)
        state = net.random_state(rng=3, scale=0.7)
        out[name] = checksum(np.concatenate([net.step(state), net.jacobian(state)], axis=None))
    return out


@group("planted")
def planted():
    """Networks conditioned on a mean-field fixed point."""
    out = {}
    for name in ("GRU", "LSTM"):
        net, state = gt.Network.planted(gt.fixed_points(ensembles()[name])[-1], 12, rng=0)
        out[name] = {
            "matrices": checksum(net.matrices),
            "state": checksum(state),
            "eigenvalues": total(net.eigenvalues(state)),
        }
    return out


@group("find_fixed_points")
def newton():
    """Newton's method from many starts; the last network is odd, its points come in pairs."""
    cases = {
        "GRU": small_network("GRU", 10, gain={"r": 1, "h": 6}, bias_std=0.05),
        "LSTM": small_network("LSTM", 10, gain={"f": 1, "g": 9}, bias_std=0.05),
        "odd": small_network("GRU", 10, gain={"r": 0, "h": 6}, bias_std=0.0),
    }
    out = {}
    for name, net in cases.items():
        found = net.find_fixed_points(60, rng=1, starts=net.random_state(rng=2))
        out[name] = {
            "fixed": len(found.fixed),
            "states": total(found.fixed),
            "radius": total(found.spectral_radius[found.label == "fixed"]),
            "hits": total(found.hits),
            "degree": found.degree,
        }
    return out


# --- dynamics


@group("lyapunov_spectrum")
def lyapunov():
    """All exponents of a GRU, the largest of an LSTM in noise."""
    gru = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 0, "h": 8}), 16, rng=0)
    full = gt.lyapunov_spectrum(gru, n_steps=60, transient=20, tangent_transient=20, rng=1)
    lstm = gt.Network.sample(gt.Ensemble(gt.LSTM, gain=3, input_std=0.2), 8, rng=0)
    top = gt.lyapunov_spectrum(lstm, 3, 40, transient=10, tangent_transient=10, rng=1)
    return {
        "GRU": {
            "exponents": full.exponents[[0, 1, -1]],
            "sum": math.fsum(full.exponents),
            "stderr": checksum(full.stderr),
            "dimension": full.dimension,
            "entropy": full.entropy,
        },
        "LSTM": {"exponents": top.exponents, "state": checksum(top.state)},
    }


@group("simulate")
def simulation():
    """Runs with implicit matrices."""
    out = {}
    for name, gain in (("GRU", {"z": 2, "r": 1, "h": 4}), ("LSTM", 3.0)):
        run = gt.simulate(gt.Ensemble(getattr(gt, name), gain=gain, input_std=0.1), n_units=60, n_steps=12, rng=0, tangent=True)
        out[name] = {
            "moments": checksum(run.moments),
            "state": checksum(run.state),
            "growth": math.fsum(run.growth),
            "change": checksum(run.change),
            "correlations": checksum(run.correlations["h"]),
            "sites": checksum(run.sites.moments()),
        }
    return out


@group("steady_state")
def steady():
    """Stationary states: one that settles, one that is chaotic; and its spectrum."""
    chaos = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 0, "h": 5})
    ss = gt.steady_state(chaos, n_units=200, n_steps=60, lyapunov_units=100, rng=0)
    rest = gt.steady_state(gt.Ensemble(gt.LSTM, gain=1, bias_std=0.5), n_units=200, n_steps=40, lyapunov_units=100, rng=0)
    out = {
        name: {"moments": checksum(s.moments), "stderr": checksum(s.stderr), "transient": s.transient, "lyapunov": s.lyapunov}
        for name, s in (("GRU", ss), ("LSTM", rest))
    }
    out["GRU"]["lyapunov_stderr"] = ss.lyapunov_stderr
    out["GRU"]["autocorrelation"] = {key: checksum(value) for key, value in ss.autocorrelation([0, 1, 5]).items()}
    out["GRU"]["abscissa"] = gt.Spectrum(ss).abscissa()
    return out


@group("chaos")
def chaos():
    """Largest exponents, and where they change sign."""
    exponent, error = gt.largest_exponent(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 6}), n_units=100, n_steps=40, rng=0)
    onset = gt.chaos_onset(gt.Ensemble(gt.Vanilla), "gain.h", n_units=60, n_steps=40, n_networks=2, tol=0.05, rng=0)
    return {"exponent": exponent, "exponent_error": error, "onset": onset, "onset_error": onset.error, "networks": onset.networks}


# --- grids and designs


@group("phase_diagram")
def diagrams():
    """Every quantity over small grids."""
    axes = {"gain.h": [1.7, 2.5], "gain.r": [1.0, 10.0]}
    quantities = ["count", "moments", "abscissa", "radius", "slow_fraction", "stable", "outlier", "mass:0.5,0.2", "potential:1"]
    lines = ["onset:gain.h", "fold:gain.h", "tricritical:gain.r,gain.h"]
    grid = gt.phase_diagram(gt.Ensemble(gt.GRU, gain={"z": 2}), axes, quantities + lines, tau=20)
    slow = ["lyapunov", "chaos:gain.h", "complexity", "complexity_onset:gain.h"]
    other = gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": [1.3, 2.0]}, slow, n_units=40, n_steps=30, seed=1)
    return {name: diagram_numbers(ds) for name, ds in (("GRU", grid), ("Vanilla", other))}


def diagram_numbers(ds):
    """Checksums of a phase diagram's numeric variables, without errors and words."""
    wanted = sorted(name for name in ds.data_vars if ds[name].dtype.kind in "fiub" and "status" not in name)
    return {name: checksum(ds[name].values) for name in wanted}


@group("design")
def designs():
    """Hyperparameters for wanted spectra."""
    lstm = gt.design(gt.LSTM, {"radius": 0.95}, {"bias.f": 1})
    gru = gt.design(gt.GRUResetAfter, {"slow_fraction": {200: 0.2}, "abscissa": 0.999}, {"gain.r": 1}, bounds={"bias.z": (3, 6)})
    return {
        name: {"solution": d.solution, "achieved": d.achieved, "reached": d.reached} for name, d in (("LSTM", lstm), ("GRU", gru))
    }


def diagnosis_numbers(d):
    """What a Diagnosis says."""
    modes = {key: getattr(d, key) for key in ("actual", "from_sites", "shuffled")}
    summary = {name: checksum([m.radius, m.abscissa, m.slow_fraction[5]]) for name, m in modes.items()}
    return summary | {
        "gain_margin": d.from_sites.gain_margin,
        "random": d.random.radius,
        "eigenvalues": total(d.eigenvalues),
        "lyapunov": d.lyapunov,
        "gradient": checksum(d.gradient),
        "structure": checksum([d.structure, d.structure_shuffled]),
        "overlaps": checksum(d.overlaps),
    }


@group("diagnose")
def diagnoses():
    """A report on a sampled network, with the statistics of its weights."""
    d = gt.diagnose(gt.Network.sample(gt.Ensemble(gt.GRU, gain=3, bias_std=0.1), 24, rng=0), n_states=2, taus=(5,))
    keys = ("gain", "mean", "excess_kurtosis", "normal_distance", "radius", "circular_distance", "norm", "symmetry")
    weights = {field: checksum([getattr(d.weights[field], key) for key in keys]) for field in "zrh"}
    return diagnosis_numbers(d) | {"weights": weights}


# --- PyTorch


@group("torch")
def pytorch():
    """Modules read, initialised and diagnosed."""
    import torch

    from gating_theory.interop import torch as bridge

    torch.set_num_threads(1)
    x = np.random.default_rng(0).standard_normal((12, 3, 2))
    ensemble = gt.Ensemble(gt.GRUResetAfter, {"z": 1, "r": 2, "h": 3}, {"z": 2}, {"h": 0.5}, parameter=0.3, parameter_std=0.2)
    gru = bridge.init_(torch.nn.GRU(2, 10).double(), ensemble, 0, input_gain=1.0)
    lstm = bridge.init_(torch.nn.LSTM(2, 10).double(), gt.Ensemble(gt.LSTM, gain=2, bias=0.5), 1, input_gain=1.0)
    net = bridge.from_module(gru)
    state = net.random_state(rng=1, scale=0.5)
    recording = bridge.read(lstm).record(x)
    driven, states = recording.at([3, 5], [0, 2])
    orthogonal = bridge.init_(torch.nn.LSTM(2, 8).double(), gt.orthogonal(gt.LSTM, 1.5), 0)
    chrono = bridge.init_(torch.nn.LSTM(2, 8).double(), gt.chrono(gt.LSTM, 50), 0)
    return {
        "from_module": {
            "matrices": checksum(net.matrices),
            "biases": checksum(net.biases),
            "parameters": checksum(net.parameters),
            "step": checksum(net.step(state)),
            "trace": np.trace(net.jacobian(state)),
        },
        "from_state_dict": checksum(bridge.from_state_dict(lstm.state_dict()).matrices),
        "record": {
            "states": checksum(recording.states),
            "jacobian": checksum(driven.jacobian(states)),
            "sites": checksum(recording.sites([3, 5], [0, 2]).moments()),
        },
        "orthogonal": checksum(bridge.from_module(orthogonal).matrices),
        "chrono": checksum(bridge.from_module(chrono).biases),
        "flow": checksum(gt.flow.Flow.from_torch(lstm)(np.full(20, 0.2))),
        "diagnose": diagnosis_numbers(gt.diagnose(gru, x, n_states=2, taus=(5,))),
    }


# --- flows


def bistable():
    """A two-unit GRU with a source, a saddle, a sink and a stable cycle."""
    return gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


@group("flow")
def flows():
    """The vector field, its derivative, trajectories and maps."""
    gru, lstm = bistable(), gt.flow.Flow.from_network(small_network("LSTM", 2))
    janet = gt.flow.Flow(gt.JANET, {"f": [[1, 0], [0, 2]], "g": [[2, -1], [1, 2]]}, {"g": [0.1, 0]}, {"beta": [1, 0.5]})
    run = gru.integrate([-0.2, 0.2], np.linspace(0.0, 5.0, 6))
    return {
        "GRU": {
            "value": gru([0.1, 0.2]),
            "jacobian": checksum(gru.jacobian([0.1, 0.2])),
            "residual": checksum(gru.residual([0.1, 0.2])),
            "bounds": checksum(gru.bounds),
            "euler": checksum(gru.euler([0.1, 0.2], step=0.1, n_steps=10)),
            "map_jacobian": checksum(gru.map_jacobian([0.1, 0.2], 0.5)),
            "integrate": checksum(run.y),
            "nullclines": [total(np.concatenate(curves)) for curves in gru.nullclines(40)],
        },
        "LSTM": {"value": checksum(lstm([0.1, 0.2, -0.3, 0.4])), "jacobian": checksum(lstm.jacobian([0.1, 0.2, -0.3, 0.4]))},
        "JANET": {"value": checksum(janet([0.1, 0.2])), "points": checksum(janet.fixed_points().states)},
    }


@group("flow_fixed_points")
def flow_fixed_points():
    """Complete lists of fixed points, in both grades."""
    cases = {
        "GRU": (bistable(), "validated"),
        "GRU/certified": (bistable(), "certified"),
        "GRU3": (gt.flow.Flow.from_network(small_network("GRU", 3, gain=12.0)), "validated"),
        "LSTM": (gt.flow.Flow.from_network(small_network("LSTM", 2, gain={"f": 2, "g": 12}, bias_std=0.05)), "validated"),
    }
    out = {}
    for name, (flow, grade) in cases.items():
        found = flow.fixed_points(grade)
        out[name] = {
            "topology": checksum(found.topology),
            "index_sum": found.index_sum,
            "boxes": found.n_boxes,
            "states": checksum(found.states),
            "eigenvalues": total([p.eigenvalues for p in found]),
        }
    return out


@group("flow_cycles")
def flow_cycles():
    """Limit cycles, attractors, basins, separatrices."""
    flow = bistable()
    cycle = gt.flow.find_cycle(flow, [-0.2, 0.3])
    nested = gt.flow.cycles(gt.GRUFlow(U_h=[[-6, 27], [-7.5, 8.5]], b_h=[-1.6, 1]), 6)
    ends, grid = gt.flow.attractors(flow, 6), gt.flow.basins(flow, 9)
    curves = gt.flow.separatrices(flow, time=20.0, n=50)
    return {
        "cycle": {
            "period": cycle.period,
            "multiplier": cycle.multipliers[0].real,
            "extent": checksum(cycle.extent),
            "states": checksum(cycle.states(20)),
        },
        "nested": {"periods": [c.period for c in nested], "multipliers": [c.multipliers[0].real for c in nested]},
        "attractors": {"sinks": checksum(ends.sinks), "period": ends.cycles[0].period, "fraction": ends.fraction},
        "basins": checksum(grid.label),
        "separatrices": {name: total(np.concatenate(lines)) for name, lines in curves.items()},
    }


def bifurcation_numbers(branch):
    """Values and coefficients of all bifurcations on a branch."""
    return {f"{i}_{b.kind}": {"value": b.value, "coefficient": b.coefficient} for i, b in enumerate(branch.bifurcations)}


@group("flow_continuation")
def continuation():
    """Branches of fixed points and of cycles, normal forms."""
    flow = bistable()
    branch = gt.flow.continue_fixed_point(flow, "b_h[1]", (-3, 3), [-0.2122, 0.1380])
    hopf = [b for b in branch.bifurcations if b.kind == "hopf"][-1]
    cycles = gt.flow.continue_cycle(flow, "b_h[1]", (-3, 3), hopf, max_period=15.0)
    fork = gt.flow.continue_fixed_point(gt.GRUFlow(U_h=1.0), "U_h[0,0]", (-8, 4), [0.0])
    sides = gt.flow.other_branch(fork.bifurcations[-1], fork, (-8, 3))
    return {
        "branch": bifurcation_numbers(branch) | {"points": branch.values.size, "states": total(branch.states)},
        "hopf": {"frequency": hopf.frequency, "again": gt.flow.normal_form(hopf.flow, hopf.state, "hopf")},
        "fork": bifurcation_numbers(fork) | {"ends": sorted(float(s.states[-1, 0]) for s in sides)},
        "cycles": {
            "points": cycles.values.size,
            "periods": checksum(cycles.periods),
            "values": checksum(cycles.values),
            "multipliers": checksum(cycles.multipliers.real),
        },
    }


@group("flow_homoclinic")
def homoclinic():
    """The parameter at which a saddle's manifold returns, and the periods beside it."""
    found = gt.flow.homoclinic(bistable(), "b_h[1]", (0.85, 1.1), [0.525, 0.998])
    law = found.period_law([1e-2, 1e-3])
    return {
        "value": found.value,
        "saddle": checksum(found.saddle),
        "eigenvalues": checksum(found.eigenvalues.real),
        "periods": law.periods,
        "expected": law.expected,
    }


@group("flow_slow_manifold")
def slow_manifold():
    """A pseudo-line attractor."""
    curve = gt.flow.slow_manifold(gt.GRUFlow(U_h=[[4.549, -1.612], [10.278, -4.5]]))
    middle = curve.within(0.5)
    return {
        "points": len(curve.states),
        "states": checksum(curve.states),
        "length": curve.length,
        "speed": middle.speed.max(),
        "contraction": middle.contraction.max(),
        "ratio": middle.ratio,
    }


def map_numbers(found):
    """Attractors of an Euler map."""
    return {
        "period": checksum([a.period for a in found]),
        "turn": checksum([a.steps_per_turn for a in found]),
        "lyapunov": checksum([a.lyapunov for a in found]),
        "multipliers": math.fsum(total(a.multipliers) for a in found),
    }


@group("flow_maps")
def maps():
    """Euler maps beside their flows."""
    turning = gt.GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]])
    both = gt.flow.flow_and_map(turning, starts=3)
    return {
        "locked": map_numbers(gt.flow.map_attractors(gt.GRUFlow(U_h=[[3, -20], [20, 3]]), 4)),
        "flip": map_numbers(gt.flow.map_attractors(gt.GRUFlow(U_h=-8.0), [[0.3], [-0.7]])),
        "turning": {
            "multipliers": total(both.multipliers),
            "disagree": both.disagree.sum(),
            "map": map_numbers(both.map_attractors),
        },
    }


@group("flow_topologies")
def topologies():
    """Sweeps, searches, the catalogue."""
    rng = np.random.default_rng(0)
    sweep = gt.flow.count_fixed_points(gt.GRU, 10 * rng.standard_normal((200, 3, 2, 2)), rng.standard_normal((200, 3, 2)))
    deep = gt.flow.count_fixed_points(gt.LSTM, 8 * rng.standard_normal((20, 4, 2, 2)))
    search = gt.flow.search_topologies(2, 60, rng=0)
    triple, flow = list(search.examples.items())[-1]
    catalogue = gt.flow.topology_catalogue()
    columns = ("count", "sinks", "sources", "saddles", "n_boxes")
    return {
        "sweep": checksum([getattr(sweep, name) for name in columns]),
        "sweep_LSTM": checksum([getattr(deep, name) for name in columns]),
        "search": {
            "triples": len(search.examples),
            "networks": search.n_networks,
            "last": checksum(triple),
            "example": checksum(flow.matrices),
            "simple": checksum(gt.flow.simplify(flow).matrices),
        },
        "catalogue": {"size": len(catalogue), "matrices": math.fsum(checksum(f.matrices) for f in catalogue.values())},
    }


# --- files


def read_back(things):
    """{name: number} of results that were saved and loaded; ``things`` maps names to pairs (result, its number)."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (thing, number) in things.items():
            out[name] = number(gt.load(gt.save(thing, Path(folder) / name)))
    return out


@group("files")
def files():
    """Results as read back from files."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 1, "h": 4, "r": 4})
    net, points = small_network("GRU", 5), gt.fixed_points(ensemble)
    things = {
        "ensemble": (ensemble, lambda r: checksum(r.array("gain"))),
        "point": (points[-1], lambda r: checksum(r.sites_at(1e-3).moments())),
        "points": (points, lambda r: checksum(r[-1].moments)),
        "critical": (gt.fold(gt.Ensemble(gt.GRU, gain={"r": 4}), "gain.h"), lambda r: r + checksum(r.moments)),
        "complexity": (gt.complexity(ensemble), lambda r: gt.Spectrum(r).edge_function(1.0)),
        "kac_rice": (gt.kac_rice(gt.Ensemble(gt.Vanilla, gain=2), 3, 100, rng=0), lambda r: r.mean + r.stderr),
        "counts": (gt.count_fixed_points(ensemble, n_units=3, n_networks=4, rng=0), lambda r: checksum(r.counts)),
        "network": (net, lambda r: checksum(r.step(np.full((1, 5), 0.3)))),
        "sites": (net.sites(net.random_state(rng=1)), lambda r: checksum(r.fields)),
        "newton": (net.find_fixed_points(20, rng=0), lambda r: total(r.states)),
        "lyapunov": (gt.lyapunov_spectrum(net, 2, 20, transient=5, tangent_transient=5, rng=0), lambda r: checksum(r.exponents)),
        "simulation": (gt.simulate(ensemble, 30, 6, rng=0), lambda r: checksum(r.moments) + checksum(r.state)),
        "steady_state": (gt.steady_state(ensemble, 60, 30, lyapunov_units=0, rng=0), lambda r: gt.Spectrum(r).abscissa()),
        "design": (gt.design(gt.Vanilla, {"radius": 0.9}), lambda r: checksum(r.solution) + r.spectrum.radius()),
        "diagnosis": (gt.diagnose(net, n_states=1, taus=(5,)), lambda r: total(r.eigenvalues) + r.weights["z"].norm),
        "diagram": (gt.phase_diagram(ensemble, {"gain.h": [3.0, 4.0]}), lambda r: checksum(r["moment_h"].values)),
    }
    own = gt.Spectrum(gt.fixed_points(pickle.loads(pickle.dumps(ensembles()["own"])))[-1])
    return read_back(things) | {"pickled_cell": own.radius()}


@group("flow_files")
def flow_files():
    """Flows and their results as read back from files."""
    flow = bistable()
    branch = gt.flow.continue_fixed_point(flow, "b_h[1]", (-1, 3), [-0.2122, 0.1380])
    sweep = gt.flow.count_fixed_points(gt.GRU, np.full((1, 3, 2, 2), 2.0))
    return read_back(
        {
            "flow": (flow, lambda r: checksum(r([0.1, 0.2]))),
            "points": (flow.fixed_points(), lambda r: checksum(r.states)),
            "cycle": (gt.flow.find_cycle(flow, [-0.2, 0.3]), lambda r: r.period + checksum(r.states(20))),
            "attractors": (gt.flow.attractors(flow, 3), lambda r: checksum(r.label)),
            "branch": (branch, lambda r: checksum(r.states) + r.bifurcations[-1].value),
            "map": (gt.flow.map_attractors(gt.GRUFlow(U_h=-8.0), [[0.3]]), lambda r: r[0].lyapunov),
            "sweep": (sweep, lambda r: checksum(r.count)),
        }
    )


# --- running and comparing


def measure(only="", say=None):
    """{name: number} of the groups that a prefix asks for; ``say`` is told the seconds each took."""
    numbers = {}
    for name, function in GROUPS.items():
        if not (name.startswith(only) or only.startswith(name + "/")):
            continue
        start = time.process_time()
        numbers |= {path: x for path, x in flat(function(), name).items() if path.startswith(only)}
        if say:
            say(f"{name}: {time.process_time() - start:.1f} s")
    return numbers


def deviation(before, now):
    """|now - before| relative to the larger of 1 and |before|; 0 for equal infinities and for two NaN, else infinite."""
    if before == now or (math.isnan(before) and math.isnan(now)):
        return 0.0
    difference = abs(now - before) / max(1.0, abs(before))
    return difference if math.isfinite(difference) else math.inf


def compare(before, now):
    """Print how two tables differ; return whether they agree."""
    shared = [name for name in before if name in now]
    deviations = {name: deviation(before[name], now[name]) for name in shared}
    worst = max(deviations, key=deviations.get, default=None)
    print(f"{len(shared)} numbers compared, {sum(d == 0 for d in deviations.values())} of them equal to the last bit")
    if worst is not None:
        print(f"largest relative deviation {deviations[worst]:.2e}: {worst}")
    wrong = [name for name in shared if not deviations[name] <= TOLERANCE]
    for name in wrong:
        print(f"DIFFERS {deviations[name]:.2e}  {name}: {before[name]!r} before, {now[name]!r} now")
    for word, names in (("MISSING", before.keys() - now.keys()), ("EXTRA", now.keys() - before.keys())):
        for name in sorted(names):
            print(f"{word}  {name}")
    return not wrong and before.keys() == now.keys()


def write(numbers, path):
    """Save a table as JSON, with what it was made with; numbers that JSON lacks as strings."""
    made_with = {"gating_theory": gt.__version__, "python": platform.python_version(), "numpy": np.__version__}
    table = {name: x if math.isfinite(x) else str(x) for name, x in numbers.items()}
    text = json.dumps({"made_with": made_with | {"machine": platform.machine()}, "numbers": table}, indent=1, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def read(path, only=""):
    """The numbers of a saved table whose names begin with ``only``."""
    table = json.loads(Path(path).read_text(encoding="utf-8"))["numbers"]
    return {name: float(x) for name, x in table.items() if name.startswith(only)}


def main(argv=None):
    """Measure, then print, save or compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE", help="save the numbers as JSON")
    parser.add_argument("--compare", metavar="FILE", help="compare with saved ones; exit code 1 if any differ")
    parser.add_argument("--only", metavar="PREFIX", default="", help="only numbers whose names begin so")
    options = parser.parse_args(argv)
    before = read(options.compare, options.only) if options.compare else None
    numbers = measure(options.only, lambda line: print(line, file=sys.stderr, flush=True))
    print(f"{len(numbers)} numbers of {Path(gt.__file__).parent} in {time.process_time():.0f} s of processor time", file=sys.stderr)
    if not numbers:
        parser.error(f"no number has a name that begins with {options.only!r}")
    if options.write:
        write(numbers, options.write)
    if before is not None:
        return 0 if compare(before, numbers) else 1
    if not options.write:
        for name, x in numbers.items():
            print(f"{name:<64}{x!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
