"""One valid and cheap call of everything public, for tests that ask the same of all: of bad values, of errors in arithmetic.

``CALLS[name](things)`` gives a callable and its arguments by name; ``things`` are the objects that calls share, made when they are
first used.
"""

import inspect
import tempfile
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
import torch

import gating_theory as gt
from gating_theory import plotting
from gating_theory.interop import initialise, layers, layouts, readers, stacks
from gating_theory.interop import torch as bridge


class Things:
    """What calls are made of: small, and one of each."""

    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3})
    driven = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}, input_std={"h": 0.1})

    @cached_property
    def folder(self):
        return tempfile.mkdtemp()

    @cached_property
    def contents(self):
        return gt.read(self.module)

    @cached_property
    def split(self):
        return gt.split_weights(self.net, np.zeros((3, 6, 6)))

    @cached_property
    def modes(self):
        return gt.learned_modes(self.net, self.state, self.split)

    @cached_property
    def point(self):
        return gt.fixed_points(self.ens)[-1]

    @cached_property
    def ring(self):
        low = gt.LowRank({"h": 1}, covariance=[[1.0, 2.0], [2.0, 5.0]])
        return gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.5, low_rank=low))[1]

    @cached_property
    def diagram_of_sections(self):
        return gt.flow.section_diagram(self.flow, "b_h[0]", [0.0], [0.1, 0.2], level=0.0, n_points=3, transient=20.0)

    @cached_property
    def section(self):
        return gt.flow.poincare_section(self.flow, [0.1, 0.2], level=0.0, n_points=5, transient=20.0)

    @cached_property
    def spectrum(self):
        return gt.Spectrum(self.net.sites(self.state))

    @property
    def within(self):
        curve = self.spectrum.boundary(16)[0]
        return complex(curve.real.mean(), 0.0)

    @cached_property
    def smallest(self):
        return self.spectrum.smallest_singular_value(self.within, 20)

    @cached_property
    def product(self):
        return gt.product_singular_values(self.net.sites(self.state), 2)

    @cached_property
    def growth(self):
        return gt.gradient_growth(self.point, 3)

    @cached_property
    def finite_size(self):
        return self.spectrum.finite_size()

    @cached_property
    def typical(self):
        return gt.complexity(gt.Ensemble(gt.Vanilla, gain=2.0))

    @cached_property
    def held(self):
        return gt.validate(gt.Ensemble(gt.Vanilla, gain=0.5), 50, 1, discs=[], taus=[], lambdas=[])

    @cached_property
    def net(self):
        return gt.Network.sample(self.ens, 6, rng=0)

    @cached_property
    def state(self):
        return self.net.run(self.net.random_state(rng=1), 20)

    @cached_property
    def steady(self):
        return gt.steady_state(self.ens, 200, 60, rng=0, lyapunov_units=100)

    @cached_property
    def slow_leak(self):
        return gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": 2.0, "h": 3.0})

    @cached_property
    def moving(self):
        return gt.dmft(self.slow_leak)

    @cached_property
    def pair(self):
        return gt.dmft(self.slow_leak, replicas=2)

    @cached_property
    def counts(self):
        return gt.count_fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0), 3, 2, rng=0)

    @cached_property
    def design(self):
        return gt.design(gt.GRUResetAfter, {"abscissa": 0.9}, {"gain.r": 1.0}, free=("gain.h",))

    @cached_property
    def module(self):
        torch.manual_seed(0)
        return torch.nn.GRU(2, 5)

    @cached_property
    def weights(self):
        return readers.weights_of(self.module)

    @cached_property
    def layer(self):
        return self.weights.layer()

    @cached_property
    def stack(self):
        return readers.weights_of(torch.nn.GRU(2, 5, 2)).stack()

    @property
    def stacked(self):
        return {"state": self.stack.zero_state(), "x": np.zeros(2)}

    @cached_property
    def recording(self):
        return self.weights.record(self.inputs)

    @cached_property
    def inputs(self):
        return np.random.default_rng(0).standard_normal((8, 3, 2))

    @cached_property
    def diagnosis(self):
        return gt.diagnose(self.module, self.inputs, n_states=2, taus=10)

    @cached_property
    def analysis(self):
        return gt.fixed_point_analysis(self.module, self.inputs, n_starts=4, n_steps=50)

    @cached_property
    def diagram(self):
        return gt.phase_diagram(self.ens, {"gain.h": [1.0, 3.0], "gain.r": [1.0, 2.0]}, ["count", "radius"])

    @cached_property
    def line(self):
        bounds = ((0.5, 4.0), (1.5, 2.5))
        return gt.critical_line(self.ens, ("gain.r", "gain.h"), "onset", bounds=bounds, search=2, tol=1e-3)

    @cached_property
    def rates(self):
        return gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": [1.0, 2.0]}, ["complexity"])

    @cached_property
    def flow(self):
        return gt.GRUFlow(U_h=[[3.0, -3.0], [3.0, 3.0]])

    @cached_property
    def forced(self):
        return gt.GRUFlow(U_h=np.eye(2), input=gt.flow.Periodic(5.0, sines={"h": [0.5]}))

    @cached_property
    def strange(self):
        chaotic = gt.flow.chaotic_gru()
        exponents = gt.flow.lyapunov_spectrum(chaotic, time=100.0, transient=50.0, rng=0)
        return gt.flow.Irregular("chaos", exponents, np.random.default_rng(0).uniform(-1, 1, (50, 3)))

    @cached_property
    def pulse(self):
        return gt.GRUFlow(U_h=np.eye(2), input=gt.flow.Piecewise([0.0, 1.0], {"h": [0.0, 1.0]})).input

    @cached_property
    def response(self):
        return gt.flow.periodic_response(self.forced, [0.0, 0.0])

    @cached_property
    def bistable(self):
        return gt.GRUFlow(U_h=[[4.0, 0.0], [0.0, 1.0]])

    @cached_property
    def points(self):
        return self.flow.fixed_points()

    @cached_property
    def cycle(self):
        return gt.flow.find_cycle(self.flow, [0.1, 0.2])

    @cached_property
    def branch(self):
        return gt.flow.continue_fixed_point(gt.GRUFlow(U_h=1.9 * np.eye(1)), "U_h[0,0]", (1.0, 3.0), [0.0])

    @cached_property
    def curve(self):
        return gt.flow.continue_bifurcation(self.branch.bifurcations[0], ("U_h[0,0]", "b_z[0]"), ((1, 3), (-1, 1)), max_step=0.2)

    @cached_property
    def cycles_on(self):
        return gt.flow.continue_cycle(self.flow, "b_h[0]", (-0.1, 0.1), self.cycle, max_points=5)

    @cached_property
    def mapped(self):
        return gt.flow.map_attractors(self.flow, 2, n_transient=500)

    @cached_property
    def basins(self):
        return gt.flow.basins(self.bistable, 3)

    @cached_property
    def along(self):
        return gt.flow.attractors_along(self.flow, "b_h[0]", [0.0, 0.1], n=4, rng=0)

    @cached_property
    def region(self):
        return gt.flow.topology_map(self.bistable, {"b_h[0]": [-0.1, 0.1], "gain.h": [0.9, 1.1]})

    @cached_property
    def valley(self):
        return gt.flow.slow_manifold(self.slow, threshold=1e-3)

    @cached_property
    def slow(self):
        return gt.GRUFlow(U_h=[[2.02, 0.0], [0.0, 0.0]])

    @cached_property
    def connection(self):
        # a saddle whose loop closes at a bias of its second unit (tests/flow has the portrait)
        flow = gt.GRUFlow(
            U_z=[[-0.15, -0.11], [-0.38, -0.31]],
            U_r=[[-0.27, 0.3], [-0.27, -0.13]],
            U_h=[[4.39, -1.78], [10.96, 0.21]],
            b_h=[0.45, 1.0],
        )
        return gt.flow.homoclinic(flow, "b_h[1]", (1.7, 1.8), [0.246, 0.998])

    @cached_property
    def front(self):
        """Travelling fronts of Nagumo's equation: u' = v, v' = k v - u (1 - u) (u - 0.3)."""
        import sympy as sp

        s, *fields = sp.symbols("s l k p", real=True)
        line, slope, u = fields
        cell = gt.Cell(
            name="front",
            state=[s],
            fields={"l": line, "k": slope, "p": u},
            messages=[s, s, s],
            update=[s + line + slope - u * (1 - u) * (u - sp.Rational(3, 10))],
        )
        matrices = {"l": [[0, 1], [0, 0]], "k": [[0, 0], [0, -0.3]], "p": [[0, 0], [1, 0]]}
        return gt.flow.Flow(cell, matrices)

    @property
    def ax(self):
        import matplotlib.pyplot as plt

        return plt.figure(num="tested", clear=True).gca()


def _leaky_arguments():
    h, y, p = sp.symbols("h y_h p", real=True)
    return {
        "name": "leaky",
        "state": [h],
        "fields": [y],
        "messages": [h],
        "update": [(h + sp.tanh(y + p)) / 2],
        "fixed_point": [sp.tanh(y + p)],
        "parameters": [p],
    }


def _register(name, function, of, long_name, units, symbol, options):
    from gating_theory.sweeps.quantities import QUANTITIES

    before = set(QUANTITIES)
    gt.register_quantity(name, function, of, long_name=long_name, units=units, symbol=symbol, options=options)
    for new in set(QUANTITIES) - before:
        del QUANTITIES[new]


def _result(kind, fields):
    @dataclass(frozen=True)
    class Mine:
        value: float = 0.0

    return gt.result(kind, fields=fields)(Mine)


def _of_eigenvalues():
    return np.array([0.5, 0.2 + 0.1j, 0.2 - 0.1j])


def _of_few_inputs():
    return gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0, matrices=gt.Sparse(50)))[-1]


_E = "ensemble"
BOUNDS = {"bounds": (0.5, 3.0)}
CALLS = {
    # cells and ensembles
    "Cell": lambda t: (gt.Cell, _leaky_arguments()),
    "Cell.check_jacobian": lambda t: (gt.GRU.check_jacobian, {"rng": 0, "n_points": 4, "scale": 1.0}),
    "Cell.euler": lambda t: (gt.GRU.euler, {"step": 0.5}),
    "Ensemble": lambda t: (
        gt.Ensemble,
        {
            "cell": gt.PeepholeLSTM,
            "gain": 1.0,
            "bias": 0.1,
            "bias_std": 0.1,
            "input_std": 0.1,
            "parameter": 0.1,
            "parameter_std": 0.1,
            "parameter_input_std": 0.1,
        }
        | {"matrices": "iid", "low_rank": None},
    ),
    "Ensemble.array": lambda t: (t.ens.array, {"kind": "gain"}),
    "Ensemble.value": lambda t: (t.ens.value, {"path": "gain.h"}),
    "Ensemble.replace": lambda t: (t.ens.replace, {"values": {"gain.h": 2.0}}),
    "Ensemble.with_matrices": lambda t: (t.ens.with_matrices, {"matrices": "iid"}),
    "Ensemble.with_low_rank": lambda t: (t.ens.with_low_rank, {"low_rank": t.ring.ensemble.low_rank}),
    "LowRank": lambda t: (
        gt.LowRank,
        {"channels": {"h": 1}, "mean": [[0.0, 0.0]], "covariance": np.eye(2), "mixture": [1.0], "vectors": None},
    ),
    "LowRank.scaled": lambda t: (t.ring.ensemble.low_rank.scaled, {"factor": 0.5}),
    "LowRank.drawn": lambda t: (t.ring.ensemble.low_rank.drawn, {"n_units": 5, "rng": 0}),
    "LowRank.from_dict": lambda t: (gt.LowRank.from_dict, {"description": t.ring.ensemble.low_rank.as_dict()}),
    "Ensemble.assuming": lambda t: (t.ens.assuming, {"matrices": "iid"}),
    "Ensemble.require": lambda t: (t.ens.require, {"fact": "edge", "calculator": "me", "instead": "else"}),
    "Ensemble.from_dict": lambda t: (gt.Ensemble.from_dict, {"description": t.ens.as_dict(), "cell": None}),
    "Sparse": lambda t: (gt.Sparse, {"in_degree": 50, "entries": "normal", "fixed": False}),
    "WithSingularValues": lambda t: (gt.WithSingularValues, {"values": [0.5, 1.0, 1.5]}),
    "MatrixLaw.matrices": lambda t: (gt.IID().matrices, {"n": 3, "rng": np.random.default_rng(0), "count": 2}),
    "Direction": lambda t: (gt.Direction, {"start": t.ens, "end": gt.Ensemble(gt.GRU), "name": "way"}),
    "Direction.at": lambda t: (gt.Direction(t.ens, {"gain.h": 1.0}).at, {"ensemble": t.ens, "value": 0.5}),
    "Sites": lambda t: (
        gt.Sites,
        {"cell": gt.Vanilla, "weights": [0.5, 0.5], "state": [[0.1, 0.2]], "fields": [[0.1, 0.2]], "parameters": np.zeros((0, 2))}
        | {"gain": [1.0], "source": "mine", "tol": 1e-3, "recurrent": [[0.1, 0.2]], "matrices": "iid"},
    ),
    "Sites.mean": lambda t: (t.point.sites.mean, {"values": np.ones(t.point.sites.size)}),
    "Sites.thinned": lambda t: (t.point.sites.thinned, {"size": 10}),
    "Sites.pooled": lambda t: (gt.Sites.pooled, {"samples": [t.net.sites(t.state)] * 2, "source": "two"}),
    # mean field
    "fixed_points": lambda t: (gt.fixed_points, {_E: t.ens, "tol": 1e-10}),
    "LowRankFixedPoint.sites_at": lambda t: (
        t.ring.sites_at,
        {"tol": 1e-2, "max_nodes": 1000, "fold": False, "leak_nodes": 1, "leaks": (), "refine": ()},
    ),
    "LowRankFixedPoint.loaded_sites": lambda t: (t.ring.loaded_sites, {"tol": 1e-2, "max_nodes": 1000}),
    "memory_onset": lambda t: (
        gt.memory_onset,
        {_E: t.ring.ensemble, "parameter": "overlap", "bounds": (0.5, 3.0), "branch": 0},
    ),
    "FixedPoint.sites_at": lambda t: (
        t.point.sites_at,
        {"tol": 1e-4, "max_nodes": 50_000, "fold": False, "leak_nodes": 1, "leaks": (), "refine": ()},
    ),
    "onset": lambda t: (gt.onset, {_E: t.ens, "parameter": "gain.h", **BOUNDS}),
    "fold": lambda t: (gt.fold, {_E: t.ens.replace({"gain.r": 10.0}), "parameter": "gain.h", **BOUNDS}),
    "tricritical": lambda t: (
        gt.tricritical,
        {_E: t.ens, "parameter": "gain.r", "along": "gain.h", "bounds": (0.5, 8.0), "along_bounds": None},
    ),
    # spectra
    "Spectrum": lambda t: (gt.Spectrum, {"source": t.point, "tol": 1e-4}),
    "Spectrum.from_sites": lambda t: (
        gt.Spectrum.from_sites,
        {"cell": gt.GRU, "sites": t.net.sites(t.state), "gain": [1.0, 1.0, 3.0], "matrices": "iid"},
    ),
    "Spectrum.of_each": lambda t: (gt.Spectrum.of_each, {"points": [t.point, t.point]}),
    "Spectrum.edge_function": lambda t: (t.spectrum.edge_function, {"lam": 0.5}),
    "Spectrum.inside": lambda t: (t.spectrum.inside, {"lam": 0.5}),
    "sparse_moments": lambda t: (gt.sparse_moments, {"fixed_point": _of_few_inputs()}),
    "sparse_potential": lambda t: (gt.sparse_potential, {"spectrum": gt.Spectrum(_of_few_inputs()), "lam": 0.5}),
    "Spectrum.potential": lambda t: (t.spectrum.potential, {"lam": 0.5}),
    "Spectrum.resolvent": lambda t: (t.spectrum.resolvent, {"lam": 0.5}),
    "Spectrum.density": lambda t: (t.spectrum.density, {"lam": 0.5}),
    "Spectrum.density_map": lambda t: (t.spectrum.density_map, {"n": 4, "box": (-1, 1, -1, 1), "tol": 1e-3}),
    "Spectrum.mass": lambda t: (t.spectrum.mass, {"center": 0.0, "radius": 0.5, "tol": 1e-3}),
    "Spectrum.slow_fraction": lambda t: (t.spectrum.slow_fraction, {"tau": 10.0, "tol": 1e-3}),
    "Spectrum.edge_density": lambda t: (t.spectrum.edge_density, {"lam": t.spectrum.boundary(16)[0][0]}),
    "Spectrum.finite_size": lambda t: (
        gt.Spectrum(t.point).finite_size,
        {"n_units": 20, "n_draws": 2, "rng": 0, "method": "resample"},
    ),
    "gradient_growth": lambda t: (
        gt.gradient_growth,
        {"source": t.point, "n_steps": 3, "weights": "tied", "block": "h", "tol": 1e-6, "progress": None},
    ),
    "GradientGrowth.scatter": lambda t: (t.growth.scatter, {"n_units": 20, "n_draws": 2, "rng": 0}),
    "product_singular_values": lambda t: (
        gt.product_singular_values,
        {"source": t.net.sites(t.state), "n_steps": 2, "weights": "tied", "tol": 1e-3},
    ),
    "ProductSingularValues": lambda t: (
        gt.ProductSingularValues,
        {"source": t.net.sites(t.state), "n_steps": 2, "weights": "tied", "tol": 1e-3},
    ),
    "ProductSingularValues.density": lambda t: (t.product.density, {"s": 0.5, "tol": 2e-2}),
    "ProductSingularValues.mass": lambda t: (t.product.mass, {"a": 0.0, "b": 0.5, "tol": 1e-3}),
    "ProductSingularValues.moments": lambda t: (t.product.moments, {"k": 2}),
    "ProductSingularValues.regularised": lambda t: (t.product.regularised, {"eta": 0.5}),
    "Spectrum.concentration": lambda t: (t.spectrum.concentration, {"n_units": 20}),
    "Spectrum.singular_values": lambda t: (t.spectrum.singular_values, {"shift": 0.5}),
    "Spectrum.overlap": lambda t: (t.spectrum.overlap, {"lam": t.within}),
    "Spectrum.smallest_singular_value": lambda t: (t.spectrum.smallest_singular_value, {"lam": t.within, "n_units": 20}),
    "SingularValues": lambda t: (gt.SingularValues, {"spectrum": t.spectrum, "shift": 0.5}),
    "SingularValues.moments": lambda t: (t.spectrum.singular_values().moments, {"k": 2}),
    "SingularValues.regularised": lambda t: (t.spectrum.singular_values().regularised, {"eta": 0.5}),
    "SingularValues.density": lambda t: (t.spectrum.singular_values().density, {"s": 0.5, "tol": 1e-2}),
    "SingularValues.mass": lambda t: (t.spectrum.singular_values().mass, {"a": 0.5, "b": 1.0, "tol": 1e-2}),
    "SingularValues.largest": lambda t: (t.spectrum.singular_values().largest, {"n_units": None}),
    "SingularValues.smallest": lambda t: (t.spectrum.singular_values().smallest, {"n_units": None}),
    "Spectrum.resolvent_norm": lambda t: (t.spectrum.resolvent_norm, {"lam": 1.5}),
    "Spectrum.pseudospectrum": lambda t: (t.spectrum.pseudospectrum, {"eps": 0.1, "n": 16}),
    "SmallestSingularValue.cdf": lambda t: (t.smallest.cdf, {"x": 0.5}),
    "SmallestSingularValue.density": lambda t: (t.smallest.density, {"x": 0.5}),
    "SmallestSingularValue.quantile": lambda t: (t.smallest.quantile, {"p": 0.5}),
    "Spectrum.isolated": lambda t: (gt.Spectrum(t.point).isolated, {"n_units": 50}),
    "Spectrum.outlier_determinant": lambda t: (t.spectrum.outlier_determinant, {"lam": 2.0}),
    "Spectrum.rim": lambda t: (t.spectrum.rim, {"center": 0.0, "radius": 0.5, "tol": 1e-3, "fold": True}),
    "Spectrum.sites_near": lambda t: (t.spectrum.sites_near, {"lam": 0.5, "tol": 1e-3, "fold": True}),
    "FlowSpectrum": lambda t: (gt.FlowSpectrum, {"spectrum": gt.Spectrum(t.point)}),
    "FlowSpectrum.edge_function": lambda t: (gt.Spectrum(t.point).flow.edge_function, {"mu": 0.5}),
    "FlowSpectrum.boundary": lambda t: (gt.Spectrum(t.point).flow.boundary, {"n": 32}),
    "FlowSpectrum.density": lambda t: (gt.Spectrum(t.point).flow.density, {"mu": 0.5}),
    "FlowSpectrum.potential": lambda t: (gt.Spectrum(t.point).flow.potential, {"mu": 0.5}),
    "FlowSpectrum.mass": lambda t: (gt.Spectrum(t.point).flow.mass, {"center": 0.0, "radius": 0.5, "tol": 1e-3}),
    "FiniteSize.count": lambda t: (t.finite_size.count, {"center": 0.0, "radius": 0.5, "natural": False}),
    "FiniteSize.slow_fraction": lambda t: (t.finite_size.slow_fraction, {"tau": 10.0, "natural": False}),
    "FiniteSize.log_det": lambda t: (t.finite_size.log_det, {"lam": 2.0, "natural": False}),
    "OutermostLaw.cdf": lambda t: (t.finite_size.radius.cdf, {"x": 0.5}),
    "OutermostLaw.density": lambda t: (t.finite_size.radius.density, {"x": 0.5}),
    "OutermostLaw.quantile": lambda t: (t.finite_size.radius.quantile, {"p": 0.5}),
    "Spectrum.holes": lambda t: (t.spectrum.holes, {"n": 32}),
    "Spectrum.boundary": lambda t: (t.spectrum.boundary, {"n": 32}),
    # dynamics
    "simulate": lambda t: (
        gt.simulate,
        {_E: t.ens, "n_units": 100, "n_steps": 20, "rng": 0, "state": None, "scale": 1.0, "tangent": False, "dtype": "float64"}
        | {"record": 10, "memory_limit": None, "progress": None},
    ),
    "steady_state": lambda t: (
        gt.steady_state,
        {_E: t.ens, "n_units": 100, "n_steps": 40, "rng": 0, "lyapunov_units": 50, "dtype": "float64", "scale": 1.0, "record": 10}
        | {"memory_limit": None, "progress": None},
    ),
    "SteadyState.autocorrelation": lambda t: (t.steady.autocorrelation, {"lags": [0, 1, 5]}),
    "largest_exponent": lambda t: (gt.largest_exponent, {_E: t.ens, "n_units": 50, "n_steps": 20, "scale": 1.0, "rng": 0}),
    "dmft": lambda t: (
        gt.dmft,
        {_E: t.slow_leak, "step": 0.5, "flow": False, "method": "lag", "window": 64, "n_sites": 100, "refine": 5}
        | {"amplitude": 0.1, "along": "gain.h", "replicas": 2, "rho_in": 0.9, "rho_frozen": 1.0, "start": 0.5}
        | {"sinusoid": None, "rng": 0, "progress": None},
    ),
    "Sinusoid": lambda t: (gt.Sinusoid, {"period": 8.0, "amplitude": {"h": 0.5}}),
    "Sinusoid.amplitudes": lambda t: (gt.Sinusoid(8.0, 0.5).amplitudes, {_E: t.ens}),
    "chaos_line": lambda t: (
        gt.chaos_line,
        {
            _E: t.slow_leak,
            "parameter": "gain.h",
            "bounds": (1.0, 3.0),
            "step": 1.0,
            "flow": False,
            "method": "lag",
            "n_sites": 100,
            "refine": 5,
            "tol": 1e-3,
        }
        | {"rng": 0, "progress": None},
    ),
    "echo_state": lambda t: (
        gt.echo_state,
        {_E: t.slow_leak, "step": 1.0, "flow": False, "method": "lag", "n_sites": 100, "refine": 5, "rng": 0, "progress": None},
    ),
    "echo_line": lambda t: (
        gt.echo_line,
        {_E: t.slow_leak, "parameter": "gain.h", "bounds": (1.5, 2.6), "step": 1.0, "flow": False, "method": "lag", "n_sites": 100}
        | {"refine": 5, "rng": 0, "progress": None},
    ),
    "chaos_tricritical": lambda t: (
        gt.chaos_tricritical,
        {_E: t.slow_leak, "parameter": "gain.r", "along": "gain.h", "bounds": (2.0, 5.0), "along_bounds": (1.0, 3.0)}
        | {"step": 0.5, "flow": False},
    ),
    "correlation_transient": lambda t: (
        gt.correlation_transient,
        {_E: t.slow_leak, "n_steps": 3, "c0": 0.5, "amplitude": 0.25, "rho_in": 0.5, "tied": True, "method": "auto"}
        | {"n_sites": 500, "rng": 0, "progress": None},
    ),
    "correlation_map": lambda t: (
        gt.correlation_map,
        {_E: gt.Ensemble(gt.Vanilla), "c": [0.0, 0.5], "rho_in": 0.9, "amplitude": 0.3},
    ),
    "dmft_states": lambda t: (
        gt.dmft_states,
        {_E: t.slow_leak, "step": 0.5, "flow": False, "method": "lag", "n_sites": 100, "refine": 5, "sinusoid": None, "rng": 0}
        | {"progress": None},
    ),
    "nngp_kernel": lambda t: (
        gt.nngp_kernel,
        {_E: t.slow_leak, "x": np.ones((2, 3, 1)), "x2": np.zeros((1, 3, 1)), "input_gain": {"h": 0.5}, "output": "last"}
        | {"method": "sites", "n_sites": 100, "tied": True, "rng": 0, "progress": None},
    ),
    "PairState.cross_correlation": lambda t: (t.pair.cross_correlation, {"lags": [0, 1, 5]}),
    "DynamicMeanField.autocorrelation": lambda t: (t.moving.autocorrelation, {"lags": [0, 1, 5]}),
    "chaos_onset": lambda t: (
        gt.chaos_onset,
        {_E: t.ens, "parameter": "gain.h", "bounds": (1.0, 8.0), "n_units": 50, "n_steps": 40, "n_networks": 1, "tol": 0.5}
        | {"scale": 1.0, "rng": 0, "progress": None},
    ),
    # lines
    "critical": lambda t: (
        gt.critical,
        {_E: gt.Ensemble(gt.Vanilla), "path": "gain.h", "quantity": "radius", "value": 1.1, "solution": "zero"}
        | {"bounds": (0.5, 4.0), "all": False, "of": "spectrum", "tau": 10.0, "n_units": 50, "n_steps": 40, "n_networks": 1}
        | {"n_draws": 5, "rng": 0, "progress": None},
    ),
    "critical_line": lambda t: (
        gt.critical_line,
        {_E: t.ens, "paths": ("gain.r", "gain.h"), "quantity": "onset", "value": None, "solution": "zero"}
        | {"bounds": ((0.5, 4.0), (1.5, 2.5)), "start": (2.0, 2.0), "of": "spectrum", "tol": 1e-3, "search": 2, "max_points": 50}
        | {"tau": 10.0, "n_points": 3, "n_units": None, "n_steps": 40, "n_networks": 1, "rng": 0, "progress": None},
    ),
    "CriticalLine.at": lambda t: (t.line.at, {"x": 1.0}),
    "CriticalLine.ensemble_at": lambda t: (t.line.ensemble_at, {"x": 1.0, "y": 2.0}),
    "CriticalLine.at_y": lambda t: (t.line.at_y, {"y": 2.0}),
    "CriticalLine.curve": lambda t: (t.line.curve, {"n": 5}),
    "CriticalLine.meets": lambda t: (t.line.meets, {"other": t.line}),
    "CriticalLine.to_csv": lambda t: (t.line.to_csv, {"path": "line.csv"}),
    # counting
    "complexity": lambda t: (gt.complexity, {_E: gt.Ensemble(gt.Vanilla, gain=2.0), "method": "mean_field", "tol": None}),
    "Complexity.favour": lambda t: (t.typical.favour, {"fields": np.zeros((1, 3)), "parameters": np.zeros((0, 3))}),
    "Complexity.sites_at": lambda t: (
        t.typical.sites_at,
        {"tol": 1e-3, "max_nodes": 50_000, "leak_nodes": 1, "leaks": (), "refine": ()},
    ),
    "complexity_onset": lambda t: (
        gt.complexity_onset,
        {_E: gt.Ensemble(gt.Vanilla, gain=2.0), "parameter": "gain.h", "bounds": (0.5, 2.0)},
    ),
    "kac_rice": lambda t: (gt.kac_rice, {_E: t.ens, "n_units": 3, "n_samples": 100, "rng": 0, "progress": None}),
    # networks
    "Network": lambda t: (
        gt.Network,
        {_E: gt.GRU, "matrices": np.zeros((3, 4, 4)), "biases": np.zeros((3, 4)), "parameters": np.zeros((0, 4))}
        | {"input": np.zeros((3, 4))},
    ),
    "Network.sample": lambda t: (gt.Network.sample, {_E: t.ens, "n_units": 5, "rng": 0, "batch": 2}),
    "Network.planted": lambda t: (gt.Network.planted, {"fixed_point": t.point, "n_units": 8, "rng": 0}),
    "Network.as_input": lambda t: (t.net.as_input, {"input": np.zeros((3, 6))}),
    "Network.as_state": lambda t: (t.net.as_state, {"state": t.state}),
    "Network.check_jacobian": lambda t: (
        t.net.check_jacobian,
        {"state": t.state, "rng": 0, "input": np.zeros((3, 6)), "n_directions": 2},
    ),
    "Network.driven": lambda t: (t.net.driven, {"input": np.zeros((3, 6)), "parameters": np.zeros((0, 6))}),
    "Network.eigenvalues": lambda t: (t.net.eigenvalues, {"state": t.state, "input": np.zeros((3, 6))}),
    "Network.fields": lambda t: (t.net.fields, {"state": t.state, "input": np.zeros((3, 6))}),
    "Network.find_fixed_points": lambda t: (
        t.net.find_fixed_points,
        {"n_starts": 4, "rng": 0, "starts": None, "input": np.zeros((3, 6)), "n_steps": 20, "scale": 1.0, "tol": 1e-10}
        | {"slow_tol": 0.01, "merge": 1e-6, "spectra": True, "objective": "fixed"},
    ),
    "Network.input_sequence": lambda t: (t.net.input_sequence, {"input": "frozen", "n_steps": 5, "rng": 0}),
    "Network.jacobian": lambda t: (t.net.jacobian, {"state": t.state, "input": np.zeros((3, 6))}),
    "Network.log_det": lambda t: (t.net.log_det, {"lam": 0.5, "state": t.state, "input": np.zeros((3, 6))}),
    "Network.push": lambda t: (
        t.net.push,
        {"state": t.state, "directions": np.ones((1, 6)), "input": np.zeros((3, 6)), "fields": t.net.fields(t.state)},
    ),
    "Network.random_state": lambda t: (t.net.random_state, {"rng": 0, "scale": 1.0}),
    "Network.run": lambda t: (
        t.net.run,
        {"state": t.state, "n_steps": 5, "input": "frozen", "rng": 0, "trajectory": True, "parameters": np.zeros((0, 6))},
    ),
    "Network.sites": lambda t: (t.net.sites, {"state": t.state, "input": np.zeros((3, 6))}),
    "Network.step": lambda t: (t.net.step, {"state": t.state, "input": np.zeros((3, 6))}),
    "predicted_outliers": lambda t: (
        gt.predicted_outliers,
        {
            "net": t.net,
            "low_rank_part": np.zeros((3, 6, 6)),
            "state": t.state,
            "visited": np.tile(0.5 * t.state, (2, 1, 1)),
            "input": np.zeros((3, 6)),
            "gain": {"h": 1.0},
            "held": 0.9,
        },
    ),
    "split_weights": lambda t: (gt.split_weights, {"net": t.net, "initial": np.zeros((3, 6, 6))}),
    "SplitField.matrix": lambda t: (t.split.fields["h"].matrix, {"weights": np.ones(t.split.fields["h"].n_learned)}),
    "SplitWeights.without": lambda t: (t.split.without, {"fields": ["h"]}),
    "learned_modes": lambda t: (gt.learned_modes, {"net": t.net, "state": t.state, "split": t.split}),
    "Modes.count": lambda t: (t.modes.count, {"kind": "bulk", "slow": True}),
    "Modes.of_kind": lambda t: (t.modes.of_kind, {"kind": "learned"}),
    "count_fixed_points": lambda t: (
        gt.count_fixed_points,
        {"ens": gt.Ensemble(gt.Vanilla, gain=2.0), "n_units": 3, "n_networks": 2, "rng": 0, "executor": None, "progress": None}
        | {"min_hits": 3, "max_rounds": 20, "scale": 1.0, "tol": 1e-10, "merge": 1e-6, "points": False, "journal": None},
    ),
    "FixedPointCounts.network": lambda t: (t.counts.network, {"i": 1}),
    "lyapunov_spectrum": lambda t: (
        gt.lyapunov_spectrum,
        {
            "net": t.net,
            "k": 2,
            "n_steps": 20,
            "inputs": np.ones((30, 3, 6)),
            "parameters": np.ones((30, 0, 6)),
            "state": t.state,
            "transient": 5,
            "tangent_transient": 5,
            "interval": 1,
            "n_blocks": 2,
        }
        | {"rng": 0, "progress": None},
    ),
    "finite_time_exponents": lambda t: (
        gt.finite_time_exponents,
        {"net": t.net, "window": 3, "k": 2, "n_steps": 20, "inputs": np.ones((30, 3, 6)), "parameters": np.ones((30, 0, 6))}
        | {"state": t.state, "transient": 5, "tangent_transient": 5, "rng": 0, "progress": None},
    ),
    "FiniteTimeExponents.quantiles": lambda t: (gt.finite_time_exponents(t.net, 2, n_steps=8, rng=0).quantiles, {"q": [0.1, 0.9]}),
    # sweeps, files
    "phase_diagram": lambda t: (
        gt.phase_diagram,
        {_E: t.ens, "axes": {"gain.h": [1.0]}, "quantities": ["count"], "tau": 100.0, "n_units": 20, "n_steps": 20, "seed": 0}
        | {"executor": None, "progress": None, "journal": None},
    ),
    "register_quantity": lambda t: (
        _register,
        {"name": "mine", "function": lambda s: 1.0, "of": "spectrum", "long_name": "a number", "units": "1", "symbol": "m"}
        | {"options": ()},
    ),
    "result": lambda t: (_result, {"kind": "fuzzed", "fields": ("value",)}),
    "cite": lambda t: (lambda objects: gt.cite(*objects), {"objects": [gt.GRU, t.point]}),
    "save": lambda t: (gt.save, {"result": t.ens, "path": "saved.json"}),
    "load": lambda t: (gt.load, {"path": gt.save(t.ens, f"{t.folder}/loaded.json"), "cell": None}),
    "validate": lambda t: (
        gt.validate,
        {
            "sources": gt.Ensemble(gt.Vanilla, gain=0.5),
            "n_units": 50,
            "n_networks": 1,
            "rng": 0,
            "discs": [(0.0, 0.3)],
            "taus": [1.0],
        }
        | {"lambdas": [1.0], "level": 0.01, "executor": None, "progress": None},
    ),
    "Validation.to_csv": lambda t: (t.held.to_csv, {"path": "rows.csv"}),
    "Validation.spectrum": lambda t: (t.held.spectrum, {"case": "Vanilla zero state"}),
    "Validation.plot": lambda t: (t.held.plot, {"ax": None}),
    "Validation.plot_spectrum": lambda t: (t.held.plot_spectrum, {"case": "Vanilla zero state", "ax": None}),
    # training
    "design": lambda t: (
        gt.design,
        {"cell": gt.GRU, "target": {"abscissa": 0.9}, "given": {"gain.r": 1.0}, "free": ("gain.h",)}
        | {"bounds": {"gain.h": (0.1, 3.0)}, "state": "zero", "tol": 1e-3, "n_units": 50, "n_steps": 20, "rng": 0}
        | {"memory": None, "kappa": None},
    ),
    "defaults": lambda t: (gt.defaults, {"n_steps": 3}),
    "compare_initialisations": lambda t: (
        gt.compare_initialisations,
        {"initialisations": [gt.Ensemble(gt.GRU)], "n_steps": 3},
    ),
    "chrono": lambda t: (gt.chrono, {"cell": gt.GRU, "longest": 10.0, "gain": 1.0}),
    "gilboa": lambda t: (gt.gilboa, {"cell": gt.GRU, "bias": 5.0, "gain": 1e-5}),
    "orthogonal": lambda t: (gt.orthogonal, {"cell": gt.GRU, "gain": 1.0, "stacked": False, "bias": {"z": 1.0}}),
    "Initialisation": lambda t: (
        gt.Initialisation,
        {"name": "own", "ensemble": gt.Ensemble(gt.GRU), "source": "here", "chrono": {"z": 1.0}, "longest": 10.0, "vanishing": 1.0},
    ),
    "Initialisation.draw": lambda t: (
        gt.orthogonal(gt.GRUResetAfter).draw,
        {"layout": layouts.LAYOUTS["GRU"], "n_units": 4, "rng": np.random.default_rng(0)},
    ),
    "diagnose": lambda t: (
        gt.diagnose,
        {"source": t.module, "inputs": t.inputs, "layer": 0, "direction": "forward", "prefix": None, "kind": None}
        | {
            "lengths": [8, 5, 2],
            "state": np.zeros((1, 3, 5)),
            "nonlinearity": None,
            "batch_first": None,
            "initial": t.module,
            "n_states": 2,
            "taus": (10,),
            "rng": 0,
            "progress": None,
        },
    ),
    "fixed_point_analysis": lambda t: (
        gt.fixed_point_analysis,
        {"source": t.module, "inputs": t.inputs, "held": np.zeros(2), "n_starts": 4, "n_steps": 50, "n_modes": 2, "tol": 1e-10}
        | {"slow_tol": 1e-2, "merge": 1e-6, "layer": 0, "direction": "forward", "prefix": None, "kind": None}
        | {"nonlinearity": None, "batch_first": None, "rng": 0, "progress": None}
        | {"lengths": [8, 5, 2], "state": np.zeros((1, 3, 5))},
    ),
    "FixedPointAnalysis.network_at": lambda t: (t.analysis.network_at, {"i": 0}),
    "interop.layouts.rows_by_name": lambda t: (
        layouts.rows_by_name,
        {"cell": gt.GRU, "fields": np.zeros((3, 4)), "parameters": np.zeros((0, 4))},
    ),
    "interop.layouts.variant": lambda t: (
        layouts.variant,
        {"kind": "LSTM", "gates": "hard_sigmoid", "candidate": "relu", "output": "linear"},
    ),
    "interop.layouts.layout_of": lambda t: (layouts.layout_of, {"kind": "GRU"}),
    "interop.layers.RecurrentWeights.layer": lambda t: (t.weights.layer, {"layer": 0, "direction": "forward"}),
    "interop.layers.RecurrentWeights.sequences": lambda t: (t.weights.sequences, {"inputs": t.inputs, "lengths": [8, 5, 2]}),
    "interop.layers.RecurrentWeights.record": lambda t: (
        t.weights.record,
        {"inputs": t.inputs, "layer": 0, "direction": "forward", "lengths": [8, 5, 2], "state": np.zeros((1, 3, 5))},
    ),
    "interop.layers.RecurrentLayer.input_jacobian": lambda t: (
        t.layer.input_jacobian,
        {"state": np.zeros((1, 5)), "x": np.zeros(2)},
    ),
    "interop.layers.RecurrentLayer.drive": lambda t: (t.layer.drive, {"x": np.zeros(2)}),
    "interop.layers.RecurrentLayer.record": lambda t: (
        t.layer.record,
        {"x": t.inputs, "state": np.zeros((3, 1, 5)), "lengths": [8, 5, 2]},
    ),
    "interop.layers.RecurrentLayer.fed": lambda t: (t.layer.fed, {"inputs": t.inputs, "state": np.zeros((3, 1, 5))}),
    "interop.layers.RecurrentLayer.run": lambda t: (t.layer.run, {"inputs": t.inputs, "state": np.zeros((3, 1, 5))}),
    "interop.layers.RecurrentLayer.with_network": lambda t: (t.layer.with_network, {"network": t.layer.network}),
    "interop.layers.Recording.at": lambda t: (t.recording.at, {"times": [1, 2], "sequences": [0, 1]}),
    "interop.layers.Recording.sites": lambda t: (t.recording.sites, {"times": [1, 2], "sequences": [0, 1]}),
    "read": lambda t: (
        gt.read,
        {"source": t.module, "kind": "GRU", "nonlinearity": None, "batch_first": None, "names": None, "order": None}
        | {"transposed": False},
    ),
    "interop.stacks.Stack.step": lambda t: (t.stack.step, t.stacked),
    "interop.stacks.Stack.driven": lambda t: (t.stack.driven, t.stacked),
    "interop.stacks.Stack.jacobian": lambda t: (t.stack.jacobian, t.stacked),
    "interop.stacks.Stack.layer_eigenvalues": lambda t: (t.stack.layer_eigenvalues, t.stacked),
    "interop.stacks.Stack.eigenvalues": lambda t: (t.stack.eigenvalues, t.stacked),
    "interop.stacks.Stack.singular_values": lambda t: (t.stack.singular_values, t.stacked),
    "interop.stacks.Stack.record": lambda t: (
        t.stack.record,
        {"inputs": t.inputs, "lengths": [8, 5, 2], "state": t.stack.zero_state()},
    ),
    "interop.stacks.StackRecording.at": lambda t: (t.stack.record(t.inputs).at, {"times": [1, 2], "sequences": [0, 1]}),
    "Contents.weights": lambda t: (t.contents.weights, {"prefix": ""}),
    "Contents.layer": lambda t: (t.contents.layer, {"layer": 0, "direction": "forward", "prefix": ""}),
    "Contents.stack": lambda t: (lambda prefixes: t.contents.stack(prefixes), {"prefixes": ""}),
    "interop.readers.weights_of": lambda t: (readers.weights_of, {"source": t.module, "prefix": ""}),
    "interop.initialise.initialisation_of": lambda t: (initialise.initialisation_of, {"design": t.design}),
    "interop.torch.from_module": lambda t: (
        bridge.from_module,
        {"module": t.module, "layer": 0, "direction": "forward", "prefix": None},
    ),
    "interop.torch.from_state_dict": lambda t: (
        bridge.from_state_dict,
        {"source": t.module.state_dict(), "layer": 0, "direction": "forward", "prefix": "", "kind": "GRU", "nonlinearity": None},
    ),
    "interop.torch.read": lambda t: (
        bridge.read,
        {"source": t.module.state_dict(), "prefix": "", "kind": "GRU", "nonlinearity": None, "batch_first": None},
    ),
    "interop.torch.init_": lambda t: (
        bridge.init_,
        {"module": torch.nn.GRU(2, 5), "design": gt.Ensemble(gt.GRUResetAfter), "rng": 0, "input_gain": 1.0, "what": "both"},
    ),
    # flows
    "GRUFlow": lambda t: (
        gt.GRUFlow,
        {f"U_{g}": np.zeros((2, 2)) for g in "zrh"} | {f"b_{g}": np.zeros(2) for g in "zrh"} | {"input": None},
    ),
    "flow.Flow": lambda t: (
        gt.flow.Flow,
        {"cell": gt.Vanilla, "matrices": np.zeros((1, 2, 2)), "bias": np.zeros((1, 2)), "parameters": np.zeros((0, 2))}
        | {"input": np.zeros((1, 2))},
    ),
    "flow.Flow.from_dict": lambda t: (gt.flow.Flow.from_dict, {"description": t.flow.as_dict(), "cell": None}),
    "flow.Flow.from_network": lambda t: (gt.flow.Flow.from_network, {"net": gt.Network.sample(t.ens, 2, rng=0)}),
    "flow.Flow.from_torch": lambda t: (
        gt.flow.Flow.from_torch,
        {"module": torch.nn.GRU(2, 2), "layer": 0, "direction": "forward"},
    ),
    "flow.Flow.euler": lambda t: (
        t.flow.euler,
        {"state": [0.1, 0.2], "step": 1.0, "n_steps": 2, "trajectory": True, "start": 0.0, "rng": 0},
    ),
    "flow.Flow.at_time": lambda t: (t.forced.at_time, {"time": 1.0}),
    "flow.Flow.with_input": lambda t: (t.flow.with_input, {"input": {"h": [0.1, 0.2]}}),
    "flow.Piecewise.__call__": lambda t: (t.pulse, {"time": [0.5, 1.5]}),
    "flow.Periodic.__call__": lambda t: (t.forced.input, {"time": 0.5}),
    "flow.Noise.sample": lambda t: (
        gt.flow.Noise(np.ones((1, 2)), 1.0).sample,
        {"stop": 1.0, "step": 0.1, "rng": 0, "start": 0.0},
    ),
    "flow.PeriodicResponse.states": lambda t: (t.response.states, {"n": 5}),
    "flow.periodic_response": lambda t: (
        gt.flow.periodic_response,
        {"flow": t.forced, "start": [0.0, 0.0], "periods": 1, "transient": 1, "tol": 1e-8},
    ),
    "flow.stroboscopic": lambda t: (
        gt.flow.stroboscopic,
        {"flow": t.forced, "state": [0.1, 0.2], "n_periods": 2, "trajectory": True},
    ),
    "flow.Flow.fixed_points": lambda t: (t.flow.fixed_points, {"grade": "validated", "max_boxes": 2000, "min_width": 1e-9}),
    "flow.Flow.integrate": lambda t: (
        t.flow.integrate,
        {"state": [0.1, 0.2], "t": 0.5, "events": None, "rtol": 1e-6, "atol": 1e-8, "method": "DOP853", "dense_output": False}
        | {"rng": 0, "noise_step": 0.1},
    ),
    "flow.Flow.jacobian": lambda t: (t.flow.jacobian, {"state": [0.1, 0.2], "time": 0.0}),
    "flow.Flow.__call__": lambda t: (t.flow.__call__, {"state": [0.1, 0.2], "time": 0.0}),
    "flow.Flow.map_jacobian": lambda t: (t.flow.map_jacobian, {"state": [0.1, 0.2], "step": 0.5, "time": 0.0}),
    "flow.Flow.nullclines": lambda t: (t.flow.nullclines, {"n": 10, "box": (-1, 1)}),
    "flow.Flow.parameter": lambda t: (t.flow.parameter, {"path": "b_h[0]"}),
    "flow.Flow.along": lambda t: (t.flow.along, {"path": "gain.h"}),
    "flow.Flow.rates": lambda t: (t.flow.rates, {"path": "b_h[0]"}),
    "flow.Bifurcation.same_as": lambda t: (t.branch.bifurcations[0].same_as, {"other": t.branch.bifurcations[0]}),
    "flow.Irregular.holds": lambda t: (t.strange.holds, {"states": [[0.1, 0.2, 0.3]]}),
    "flow.Irregular.same": lambda t: (t.strange.same, {"other": t.strange}),
    "flow.Line.value": lambda t: (t.flow.along("gain.h").value, {"flat": t.flow.flat}),
    "flow.Line.moved": lambda t: (t.flow.along("gain.h").moved, {"flat": t.flow.flat, "value": 2.0}),
    "flow.Flow.replace": lambda t: (t.flow.replace, {"path": "b_h[0]", "value": 0.1}),
    "flow.Flow.residual": lambda t: (t.flow.residual, {"state": [0.1, 0.2]}),
    "flow.Flow.with_parameters": lambda t: (t.flow.with_parameters, {"values": {"b_h[0]": 0.1}}),
    "flow.Cycle.distance": lambda t: (t.cycle.distance, {"states": [0.1, 0.2]}),
    "flow.Cycle.same": lambda t: (t.cycle.same, {"other": t.cycle}),
    "flow.Cycle.states": lambda t: (t.cycle.states, {"n": 20}),
    "flow.Homoclinic.period_law": lambda t: (
        t.connection.period_law,
        {"distances": [1e-3, 1e-4], "passes": 1},
    ),
    "flow.SlowManifold.within": lambda t: (t.valley.within, {"half_width": 0.05, "coordinate": 0}),
    "flow.attractors": lambda t: (
        gt.flow.attractors,
        {"flow": t.bistable, "starts": 2, "box": (-1, 1), "t_max": 200.0, "rtol": 1e-6, "rng": 0},
    ),
    "flow.attractors_along": lambda t: (
        gt.flow.attractors_along,
        {"flow": t.flow, "path": "b_h[0]", "values": [0.0, 0.1], "starts": 2, "n": 4, "box": (-1, 1), "rng": 0}
        | {"step": None, "progress": None},
    ),
    "flow.basin_intervals": lambda t: (gt.flow.basin_intervals, {"flow": gt.GRUFlow(U_h=3.0), "points": None}),
    "flow.basins": lambda t: (gt.flow.basins, {"flow": t.bistable, "n": 3, "box": (-1, 1), "t_max": 200.0}),
    "flow.cycles": lambda t: (gt.flow.cycles, {"flow": t.flow, "starts": 2, "box": (-1, 1), "t_max": 200.0}),
    "flow.find_cycle": lambda t: (
        gt.flow.find_cycle,
        {"flow": t.flow, "start": [0.1, 0.2], "transient": 50.0, "max_period": 100.0, "backward": False, "tol": 1e-9},
    ),
    "flow.continue_cycle": lambda t: (
        gt.flow.continue_cycle,
        {"flow": t.flow, "path": "b_h[0]", "bounds": (-0.1, 0.1), "start": t.cycle, "max_step": 0.05, "max_points": 3}
        | {"max_period": 100.0, "direction": 1, "progress": None},
    ),
    "flow.continue_fixed_point": lambda t: (
        gt.flow.continue_fixed_point,
        {"flow": t.branch.flow, "path": "U_h[0,0]", "bounds": (1.0, 3.0), "state": [0.0], "step": 1.0, "max_step": 0.2}
        | {"max_points": 10, "direction": None},
    ),
    "flow.bifurcation_plane": lambda t: (
        gt.flow.bifurcation_plane,
        {"flow": t.branch.flow, "paths": ("U_h[0,0]", "b_z[0]"), "bounds": ((1.5, 2.5), (-1.0, 1.0)), "kinds": ["pitchfork"]}
        | {"lines": 1, "step": 1.0, "max_step": 0.2, "progress": None},
    ),
    "flow.continue_bifurcation": lambda t: (
        gt.flow.continue_bifurcation,
        {
            "start": t.branch.bifurcations[0],
            "paths": ("U_h[0,0]", "b_z[0]"),
            "bounds": ((1.0, 3.0), (-1.0, 1.0)),
            "kind": "pitchfork",
        }
        | {"step": 1.0, "max_step": 0.2, "max_points": 10, "max_period": 100.0, "progress": None},
    ),
    "flow.other_branch": lambda t: (
        gt.flow.other_branch,
        {"bifurcation": t.branch.bifurcations[0], "branch": t.branch, "bounds": (1.0, 3.0), "size": 1e-3},
    ),
    "flow.count_fixed_points": lambda t: (
        gt.flow.count_fixed_points,
        {"cell": gt.Vanilla, "matrices": np.full((2, 1, 1, 1), 2.0), "bias": np.zeros((2, 1, 1)), "parameters": np.zeros((2, 0, 1))}
        | {"max_boxes": 1000, "min_width": 1e-9, "progress": None},
    ),
    "flow.flow_and_map": lambda t: (
        gt.flow.flow_and_map,
        {"flow": t.bistable, "step": 1.0, "starts": 2, "t_max": 200.0, "max_steps": 10_000, "progress": None},
    ),
    "flow.homoclinic": lambda t: (
        gt.flow.homoclinic,
        {"flow": t.connection.flow, "path": "b_h[1]", "bracket": (1.7, 1.8), "saddle": [0.246, 0.998], "side": None}
        | {"t_max": 200.0, "tol": 1e-6},
    ),
    "flow.heteroclinic": lambda t: (
        gt.flow.heteroclinic,
        {"flow": t.front, "path": "U_k[1,1]", "bracket": (-0.5, -0.1), "from_saddle": [1, 0], "to_saddle": [0, 0]}
        | {"side": None, "t_max": 200.0, "tol": 1e-6},
    ),
    "flow.continue_homoclinic": lambda t: (
        gt.flow.continue_homoclinic,
        {"start": t.connection, "paths": ("b_h[0]", "b_h[1]"), "bounds": ((0.4, 0.5), (1.5, 2.0)), "max_step": 0.2, "max_points": 4}
        | {"progress": None},
    ),
    "flow.end_of_period": lambda t: (gt.flow.end_of_period, {"branch": t.cycles_on}),
    "flow.lyapunov_spectrum": lambda t: (
        gt.flow.lyapunov_spectrum,
        {"flow": t.flow, "k": 2, "time": 100.0, "start": [0.1, 0.2], "step": None, "transient": 50.0, "rtol": 1e-6, "rng": 0}
        | {"progress": None},
    ),
    "flow.poincare_section": lambda t: (
        gt.flow.poincare_section,
        {"flow": t.flow, "start": [0.1, 0.2], "normal": 0, "level": 0.0, "n_points": 3, "direction": 1, "transient": 50.0}
        | {"t_max": 500.0, "rtol": 1e-6, "progress": None},
    ),
    "flow.section_diagram": lambda t: (
        gt.flow.section_diagram,
        {"flow": t.flow, "path": "b_h[0]", "values": [0.0, 0.01], "start": [0.1, 0.2], "normal": 0, "level": 0.0, "n_points": 3}
        | {"direction": 1, "transient": 50.0, "t_max": 500.0, "n_exponents": 1, "time": 20.0, "rtol": 1e-6, "progress": None},
    ),
    "flow.SectionDiagram.distinct": lambda t: (t.diagram_of_sections.distinct, {"tol": 1e-3}),
    "flow.PoincareSection.return_map": lambda t: (t.section.return_map, {"coordinate": 0}),
    "flow.PoincareSection.distinct": lambda t: (t.section.distinct, {"tol": 1e-6}),
    "flow.plot_section": lambda t: (gt.flow.plot_section, {"section": t.section, "coordinate": 0, "returns": True, "ax": t.ax}),
    "flow.map_attractors": lambda t: (
        gt.flow.map_attractors,
        {"flow": t.bistable, "starts": 2, "step": 1.0, "box": (-1, 1), "n_transient": 500, "max_steps": 5000}
        | {"max_period": 10, "progress": None},
    ),
    "flow.normal_form": lambda t: (
        gt.flow.normal_form,
        {"flow": t.branch.bifurcations[0].flow, "state": [0.0], "kind": "pitchfork", "step": 1.0},
    ),
    "flow.search_topologies": lambda t: (
        gt.flow.search_topologies,
        {"n_generations": 1, "population": 10, "rng": 0, "start": (), "largest": 10.0, "progress": None},
    ),
    "flow.separatrices": lambda t: (
        gt.flow.separatrices,
        {"flow": t.bistable, "points": t.bistable.fixed_points(), "time": 10.0, "n": 10, "length": 5.0, "box": (-1.0, 1.0)},
    ),
    "flow.simplify": lambda t: (gt.flow.simplify, {"flow": gt.GRUFlow(U_h=np.eye(2))}),
    "flow.slow_manifold": lambda t: (
        gt.flow.slow_manifold,
        {"flow": t.slow, "start": None, "threshold": 1e-3, "step": 0.05},
    ),
    "flow.TopologyMap.at": lambda t: (t.region.at, {"x": 0.0, "y": 1.0}),
    "flow.TopologyMap.borders": lambda t: (t.region.borders, {"width": 0.1}),
    "flow.topology_map": lambda t: (
        gt.flow.topology_map,
        {
            "flow": t.bistable,
            "axes": {"b_h[0]": [-0.1, 0.1], "b_h[1]": [-0.1, 0.1]},
            "cycles": True,
            "max_boxes": 1000,
            "min_width": 1e-9,
            "executor": None,
            "progress": None,
        },
    ),
    # pictures
    "flow.plot_attractors_along": lambda t: (gt.flow.plot_attractors_along, {"along": t.along, "coordinate": 0, "ax": t.ax}),
    "flow.plot_topology_map": lambda t: (gt.flow.plot_topology_map, {"plane": t.region, "legend": True, "ax": t.ax}),
    "flow.plot_basins": lambda t: (gt.flow.plot_basins, {"basins": t.basins, "ax": t.ax}),
    "flow.plot_bifurcations": lambda t: (
        lambda branches, **more: gt.flow.plot_bifurcations(branches, **more),
        {"branches": t.branch, "coordinate": 0, "stability": "flow", "ax": t.ax},
    ),
    "flow.plot_curves": lambda t: (
        lambda curves, **more: gt.flow.plot_curves(curves, **more),
        {"curves": t.curve, "legend": True, "ax": t.ax},
    ),
    "flow.plot_portrait": lambda t: (
        gt.flow.plot_portrait,
        {
            "flow": t.bistable,
            "cycles": [],
            "streams": False,
            "manifolds": False,
            "points": t.bistable.fixed_points(),
            "orbits": None,
        }
        | {"box": (-1, 1), "legend": False, "ax": t.ax},
    ),
    "plotting.draw_count": lambda t: (
        plotting.draw_count,
        {"ax": t.ax, "x": [1.0, 2.0], "y": [1.0, 2.0], "count": [[1, 3], [3, 5]], "lines": ()},
    ),
    "plotting.plot_complexity": lambda t: (plotting.plot_complexity, {"dataset": t.rates, "counts": None, "ax": t.ax}),
    "plotting.plot_density": lambda t: (
        plotting.plot_density,
        {"spectrum": t.spectrum, "n": 4, "box": (-1, 1, -1, 1), "decades": 2.5, "colorbar": False, "ax": t.ax},
    ),
    "plotting.plot_design": lambda t: (
        plotting.plot_design,
        {"result": t.design, "eigenvalues": _of_eigenvalues(), "tau": [1.0, 2.0], "ax": t.ax},
    ),
    "plotting.plot_correlation_transient": lambda t: (
        plotting.plot_correlation_transient,
        {"transient": gt.correlation_transient(t.slow_leak, 2), "message": "h", "ax": t.ax},
    ),
    "plotting.plot_pair": lambda t: (plotting.plot_pair, {"pair": t.pair, "message": "h", "ax": t.ax}),
    "plotting.plot_autocorrelation": lambda t: (
        plotting.plot_autocorrelation,
        {"state": t.moving, "message": "h", "spectrum": True, "ax": t.ax},
    ),
    "plotting.plot_diagnosis": lambda t: (plotting.plot_diagnosis, {"result": t.diagnosis, "ax": t.ax}),
    "plotting.plot_fixed_points": lambda t: (
        plotting.plot_fixed_points,
        {"found": t.analysis, "trajectories": np.zeros((3, 2, 5)), "held": 0, "ax": t.ax},
    ),
    "plotting.plot_modes": lambda t: (plotting.plot_modes, {"result": t.diagnosis, "state": 0, "spectrum": None, "ax": t.ax}),
    "plotting.plot_mode_shares": lambda t: (
        plotting.plot_mode_shares,
        {"result": gt.learned_modes(t.net, t.state), "state": None, "n": 3, "ax": t.ax},
    ),
    "plotting.plot_lyapunov_spectrum": lambda t: (
        plotting.plot_lyapunov_spectrum,
        {"result": gt.lyapunov_spectrum(t.net, n_steps=10, rng=0), "ax": t.ax},
    ),
    "plotting.plot_finite_time_exponents": lambda t: (
        plotting.plot_finite_time_exponents,
        {"result": gt.finite_time_exponents(t.net, 2, n_steps=80, rng=0), "which": 0, "by_length": True, "ax": t.ax},
    ),
    "plotting.plot_gradients_by_lag": lambda t: (
        plotting.plot_gradients_by_lag,
        {"result": t.diagnosis, "growth": gt.gradient_growth(t.point, 2), "ax": t.ax},
    ),
    "plotting.plot_eigenvalues_along": lambda t: (
        plotting.plot_eigenvalues_along,
        {"run": t.recording, "times": [0], "sequence": 1, "ax": [t.ax]},
    ),
    "plotting.animate_eigenvalues": lambda t: (
        plotting.animate_eigenvalues,
        {"run": t.recording, "times": [0, 1], "sequence": 1, "interval": 50.0, "ax": t.ax},
    ),
    "plotting.plot_gradient_growth": lambda t: (
        plotting.plot_gradient_growth,
        {"growth": gt.gradient_growth(t.point, 2), "measured": [1.0, 0.5, 0.25], "ax": t.ax},
    ),
    "plotting.plot_phase_diagram": lambda t: (
        plotting.plot_phase_diagram,
        {
            "dataset": t.diagram,
            "quantity": "count",
            "solution": None,
            "lines": None,
            "regions": None,
            "colorbar": False,
            "ax": t.ax,
        },
    ),
    "plotting.plot_pseudospectrum": lambda t: (
        plotting.plot_pseudospectrum,
        {"spectrum": gt.Spectrum(t.point.sites.thinned(10)), "eps": [0.1], "eigenvalues": _of_eigenvalues(), "ax": t.ax},
    ),
    "plotting.plot_singular_values": lambda t: (
        plotting.plot_singular_values,
        {"result": gt.Spectrum(t.point.sites.thinned(10)).singular_values(), "values": [0.5, 1.0], "n": 10, "ax": t.ax},
    ),
    "plotting.plot_spectrum": lambda t: (
        plotting.plot_spectrum,
        {"spectrum": t.spectrum, "eigenvalues": _of_eigenvalues(), "outliers": False, "n": 32, "ax": t.ax},
    ),
    "plotting.plot_timescales": lambda t: (
        plotting.plot_timescales,
        {"source": _of_eigenvalues(), "tau": [1.0, 2.0], "label": "mine", "ax": t.ax},
    ),
}

#: What no user calls with arguments of his own, or what has none that could be wrong.
LEFT_OUT = {
    "LowRank.loadings": "called by Network.sample with what it checked",
    "LowRank.matrices": "called by Network.sample with what it checked",
    "MatrixLaw.condition": "arrays of matrices that Network.planted made",
    "MatrixLaw.image_scales": "arrays of messages that Network.planted made",
    "MatrixLaw.draw": "called by MatrixLaw.matrices with what it checked",
    "MatrixLaw.implicit": "called by simulate with what it checked",
    "MatrixLaw.implicit_bytes": "called by simulate with what it checked",
    "IID.condition": "as MatrixLaw",
    "IID.draw": "as MatrixLaw",
    "Uniform.draw": "as MatrixLaw",
    "Haar.condition": "as MatrixLaw",
    "Haar.draw": "as MatrixLaw",
    "Haar.image_scales": "as MatrixLaw",
    "HaarStack.condition": "as MatrixLaw",
    "HaarStack.draw": "as MatrixLaw",
    "HaarStack.image_scales": "as MatrixLaw",
    "HaarStack.implicit": "as MatrixLaw",
    "HaarStack.implicit_bytes": "as MatrixLaw",
    "Sparse.draw": "as MatrixLaw",
    "MatrixLaw.log_gain": "called by the equations of spectra",
    "MatrixLaw.log_gain_slope": "called by the equations of spectra",
    "MatrixLaw.penalty": "called by the equations of spectra",
    "MatrixLaw.truncation": "called by the equations of spectra",
    "MatrixLaw.inverse_square": "called by the equations of spectra",
    "MatrixLaw.mean_log": "called by the equations of spectra",
    "MatrixLaw": "abstract",
    "WithSingularValues.draw": "as MatrixLaw",
    "WithSingularValues.log_gain": "as MatrixLaw",
    "WithSingularValues.log_gain_slope": "as MatrixLaw",
    "WithSingularValues.penalty": "as MatrixLaw",
    "WithSingularValues.truncation": "as MatrixLaw",
    "WithSingularValues.inverse_square": "as MatrixLaw",
    "WithSingularValues.mean_log": "as MatrixLaw",
    "sigma": "a function of sympy",
    "flow.clear_kernels": "takes nothing",
    "flow.Flow.flat_with_input": "the inner step, with nothing checked",
    "flow.Noise.fitted": "called by Flow with what it checked",
    "flow.Periodic.fitted": "called by Flow with what it checked",
    "flow.Piecewise.fitted": "called by Flow with what it checked",
    "flow.Periodic.stretches": "the inner step of trajectories",
    "flow.Piecewise.stretches": "the inner step of trajectories",
    "flow.kernel_directory": "takes nothing",
    "flow.topology_catalogue": "takes nothing",
    "flow.chaotic_gru": "takes nothing",
    "interop.initialise.Designed": "a protocol, for types alone",
    "interop.initialise.Listed": "a protocol, for types alone",
    "Critical": "a result",
    "Expected": "a result",
    "flow.Topology": "a result",
    "Network.advance": "the inner step, with nothing checked, as its docstring says",
}


#: Dataclasses that users make; the others are results, made by calculators.
MADE_BY_USERS = (gt.Sites, gt.Direction, gt.Sinusoid, gt.Sparse, gt.WithSingularValues, gt.Initialisation)
#: Classes that are parts of public ones.
PARTS = {"Pseudospectra"}


def public():
    """{name: callable} of the face, flows, pictures and the bridges: functions, classes that users make, methods with arguments."""
    faces = {"": gt, "flow": gt.flow, "plotting": plotting}
    faces |= {
        "interop.layers": layers,
        "interop.stacks": stacks,
        "interop.layouts": layouts,
        "interop.readers": readers,
        "interop.initialise": initialise,
        "interop.torch": bridge,
    }
    found, seen = {}, set()
    for prefix, face in faces.items():
        for name in sorted(face.__all__):
            thing = getattr(face, name)
            label = f"{prefix}.{name}".lstrip(".")
            if not callable(thing) or (isinstance(thing, type) and issubclass(thing, Exception)) or id(thing) in seen:
                continue
            seen.add(id(thing))
            if not inspect.isclass(thing):
                found[label] = thing
                continue
            if not hasattr(thing, "__dataclass_fields__") or thing in MADE_BY_USERS:
                found[label] = thing
            if thing.__module__.startswith("gating_theory") and not issubclass(thing, sp.Basic):
                found |= {f"{label}.{n}": m for n, m in _methods(thing)}
    return found


def _methods(cls):
    # those that it has from a part of it, a class that nobody meets, too
    members = {}
    for base in reversed(cls.__mro__):
        if base is cls or base.__name__ in PARTS:
            members |= vars(base)
    for name, member in members.items():
        if isinstance(member, (classmethod, staticmethod)):
            member = member.__func__
        public = name == "__call__" or not name.startswith("_")
        if public and inspect.isfunction(member) and len(inspect.signature(member).parameters) > 1:
            yield name, member


def parameters(function):
    """{argument: its annotation} of a public callable, without self and what collects others."""
    given = inspect.signature(function).parameters.values()
    return {p.name: str(p.annotation) for p in given if p.name not in ("self", "cls") and p.kind is not p.VAR_KEYWORD}


__all__ = ["CALLS", "LEFT_OUT", "Things", "parameters", "public"]
