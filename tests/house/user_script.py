"""A user's script, read by a strict type checker (make lint) and never run: the public face has types.

It names everything in the ``__all__`` of the package, of ``flow`` and of ``plotting`` (test_types.py looks), most of it by giving
results to variables whose types are written down.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sympy as sp
import torch
import xarray as xr
from matplotlib.axes import Axes

import gating_theory as gt
from gating_theory.interop.layers import Recording, RecurrentLayer, RecurrentWeights
from gating_theory.interop.sequences import Sequences
from gating_theory.interop.stacks import Stack, StackRecording
from gating_theory.interop.torch import from_state_dict, init_

version: str = gt.__version__

# --- cells and ensembles

cells: list[gt.Cell] = [gt.Vanilla, gt.GRU, gt.GRUResetAfter, gt.MGU, gt.LiGRU, gt.LiGRUTanh, gt.LSTM, gt.CoupledLSTM]
cells += [gt.PeepholeLSTM, gt.JANET, gt.KCS, gt.KCSFast]
h, y = sp.symbols("h y", real=True)
own = gt.Cell(name="leaky", state=h, fields=[y], messages=[h], update=gt.sigma(y) * h, parameters=[])
wrong: float = own.check_jacobian(rng=0)
ensemble = gt.Ensemble(gt.GRU, gain={"z": 2.0, "r": 3.0, "h": 6.0}, bias={"z": 0.5}, matrices=gt.IID())
gains: dict[str, float] = ensemble.gain
other: gt.Ensemble = ensemble.replace({"gain.h": 3.0})
halfway: gt.Ensemble = gt.Direction(ensemble, other).at(ensemble, 0.5)
laws: dict[str, gt.MatrixLaw] = ensemble.matrices
orthogonal: list[gt.MatrixLaw] = [gt.Haar(), gt.HaarStack(), gt.Uniform(), gt.WithSingularValues(np.linalg.svd(np.eye(3))[1])]
few_inputs: gt.Sparse = gt.Sparse(100, entries="sign", fixed=True)

memory_part: gt.LowRank = gt.LowRank({"h": 1}, covariance=[[1.5, 2.6], [2.6, 5.0]])
remembering: gt.Ensemble = gt.Ensemble(gt.GRU, low_rank=memory_part)
one_network: gt.Ensemble = remembering.with_low_rank(memory_part.scaled(1.1).drawn(100, rng=0))
n_channels: int = memory_part.rank + len(memory_part.channels)
memory_overlap: float = float(memory_part.overlap[0, 0])

# --- mean field and spectra

points: list[gt.FixedPoint] = gt.fixed_points(ensemble)
memory_state: gt.FixedPoint = gt.fixed_points(remembering)[-1]
if isinstance(memory_state, gt.LowRankFixedPoint):
    memories: np.ndarray = memory_state.overlaps
memory_begins: gt.Critical = gt.memory_onset(remembering, "bias.r", bounds=(-3.0, 3.0), branch=0)
good: bool = points[-1].ok
described: dict[str, object] = points[-1].as_dict()
sites: gt.Sites = points[-1].sites
weights: np.ndarray = sites.parameters @ sites.weights
spectrum = gt.Spectrum(points[-1])
sparse_point: gt.FixedPoint = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0, matrices=few_inputs))[-1]
corrected: dict[str, float] = gt.sparse_moments(sparse_point)
corrected_potential: float | np.ndarray = gt.sparse_potential(gt.Spectrum(sparse_point), 0.3 + 0.3j)
given: gt.Spectrum = gt.Spectrum.from_sites(sites, matrices="iid")
radius: float = spectrum.radius()
slow: float = spectrum.slow_fraction(100)
isolated: np.ndarray = spectrum.outliers()
stretched: gt.SingularValues = spectrum.singular_values()
mean_square: float = float(stretched.moments(2)[0]) + stretched.square_std() + stretched.atom
smoothed: gt.Regularised = stretched.regularised(0.1)
norms: float = stretched.largest() + stretched.smallest(n_units=100) + spectrum.numerical_abscissa()
nearby: list[np.ndarray] = spectrum.pseudospectrum(0.1, n=32)
beyond: gt.Kreiss = spectrum.kreiss()
nearest: gt.SmallestSingularValue = spectrum.smallest_singular_value(0.9, n_units=200)
condition: float = float(spectrum.overlap(0.9)) + nearest.mean + nearest.median
alone: tuple[gt.IsolatedEigenvalue, ...] = spectrum.isolated(n_units=200)
small: gt.FiniteSize = spectrum.finite_size(n_units=200, n_draws=50, rng=0)
inside: gt.Expected = small.count(1.0, 0.2)
spreads: float = inside.sd_sites + inside.sd + small.slow_fraction(100.0).sd_matrices + small.log_det(1.5, natural=True).mean
lone: tuple[gt.IsolatedEigenvalue, ...] = small.isolated
carried: gt.Concentration = spectrum.concentration(1000)
edge_sites: gt.Carriers = carried.at_edge
described_by_limit: bool = carried.describes and small.describes and edge_sites.half_share > small.half_share
law: gt.OutermostLaw = small.radius
growth: gt.GradientGrowth = gt.gradient_growth(spectrum, 100, "tied", block="h")
left: np.ndarray = growth.mean_square * growth.log10 * growth.scatter(1000) + growth.blocks[:, 0, 0] * growth.rate
product: gt.ProductSingularValues = gt.product_singular_values(sites, 3, "tied")
smooth: gt.ProductRegularised = product.regularised([0.5, 1.0])
norm: float = product.largest() + product.square_std() + float(product.moments(2)[1]) + product.atom
product_density = product.density([0.5, 1.0])
product_fraction = product.mass(0.0, 1.0)
unstable: float = small.probability_unstable + law.median + law.sd_matrices
try:
    critical: gt.Critical = gt.onset(ensemble, "gain.h", (0.0, 10.0))
    born: gt.Critical = gt.fold(ensemble, "gain.h")
    both: gt.Critical = gt.tricritical(ensemble, "gain.h", "bias.z")
except gt.NoCriticalValue as nothing:
    print(nothing)
except gt.CapabilityError as missing:
    print(missing)
except gt.ConvergenceError as failed:
    print(failed.estimate)
value: float = critical + 1.0

common: gt.Critical = gt.critical(ensemble, "gain", "abscissa", 1, "zero")
several: list[gt.Critical] = gt.critical(ensemble, gt.Direction(ensemble, gt.Ensemble(gt.GRU)), "moment:h", 0.3, all=True)
by_hand: gt.Critical = gt.critical(ensemble, "gain.h", lambda point: point.moments["h"], 0.3, of="fixed_point")
line: gt.CriticalLine = gt.critical_line(ensemble, ("gain.r", "gain.h"), "abscissa", 1, bounds=((0, 10), (0.5, 4)))
heights: np.ndarray = line.at(2.0)
line.to_csv("line.csv")

# --- dynamics

run: gt.Simulation = gt.simulate(ensemble, 1000, 100, rng=np.random.default_rng(0), progress=True)
steady: gt.SteadyState = gt.steady_state(ensemble, n_units=1000, n_steps=100, rng=0)
moment: float = steady.moments["h"]
exponent, error = gt.largest_exponent(ensemble, rng=np.random.SeedSequence(1))
margin: float = exponent - error
moving: gt.DynamicMeanField = gt.dmft(ensemble, step=0.5, method="paths", refine=10)
meeting: gt.CorrelationTransient = gt.correlation_transient(ensemble, 10, 0.5, (0.25, 0.1), rho_in=0.9, tied=False, method="sites")
after: float | np.ndarray = gt.correlation_map(gt.Ensemble(gt.Vanilla), 0.5, amplitude=0.25)
states: list[gt.DynamicMeanField] = gt.dmft_states(ensemble.replace({"gain.z": 0.0}), flow=True)
exponent, error = moving.lyapunov()
frequencies, powers = moving.power_spectrum()
tide = gt.Sinusoid(period=8, amplitude={"h": 0.3})
ebbing: gt.DynamicMeanField = gt.dmft(ensemble, sinusoid=tide)
periodic: float = ebbing.lines["h"][0] + ebbing.conditional_exponent + tide.period
kernel: gt.NNGPKernel = gt.nngp_kernel(ensemble, np.ones((2, 5, 1)), input_gain={"h": 0.5}, output="mean", n_sites=1000)
covariances: np.ndarray = kernel.K + kernel.stderr
pair: gt.PairState = gt.dmft(ensemble, replicas=2, rho_in=0.9, start=0.3)
alike: float = pair.correlation["h"] + pair.stderr["h"] + pair.rate * pair.timescale
crossed: np.ndarray = pair.cross_correlation([0, 1])["messages"]
echo: gt.EchoState = gt.echo_state(ensemble.replace({"input_std.h": 0.5}), method="paths", refine=10)
forgets: bool = echo.verdict == "echo_state" and echo.chi < 1.0 and echo.timescale < 100.0 and echo.lam + echo.lam_error < 0.0
shared: tuple[gt.CommonState, ...] = echo.states
ends: gt.Critical = gt.echo_line(ensemble, "input_std.h", (0.0, 1.0))
begins: gt.Critical = gt.chaos_line(ensemble, "gain.h", flow=True)
corner: gt.Critical = gt.chaos_tricritical(ensemble, "gain.r", along="gain.h", flow=True)
modes: gt.FlowSpectrum = gt.Spectrum(moving).flow
rate_of_growth: float = modes.growth_rate() * modes.slowest_time()
slower: gt.Cell = gt.GRU.euler(0.1)
decay: float = moving.correlation_time + moving.frozen["h"]
chaos: gt.Critical = gt.chaos_onset(ensemble, "gain.h", progress=lambda done, total: print(done, total))
rising: bool | None = chaos.rising

# --- counting

count: gt.Complexity = gt.complexity(ensemble)
rate: float = count.value
where: gt.Critical = gt.complexity_onset(ensemble, "gain.h")
expected: gt.KacRice = gt.kac_rice(ensemble, 10, rng=0)
with ThreadPoolExecutor() as executor:
    counted: gt.FixedPointCounts = gt.count_fixed_points(ensemble, 10, 100, executor=executor)
    table: xr.Dataset = gt.phase_diagram(ensemble, {"gain.h": [1.0, 2.0]}, ["count", "radius"], executor=executor)

# --- networks

net: gt.Network = gt.Network.sample(ensemble, 100, rng=np.random.default_rng(0))
planted, rest = gt.Network.planted(points[-1], 100, rng=0)
state: np.ndarray = net.run(net.random_state(rng=1), 50)
eigenvalues: np.ndarray = planted.eigenvalues(rest)
exponents: gt.LyapunovSpectrum = gt.lyapunov_spectrum(net, k=3, n_steps=100, rng=0)
shown_series: np.ndarray = np.zeros((50, 3, 100))
shown_states: np.ndarray = net.run(state, 50, shown_series, trajectory=True, parameters=np.zeros((50, 0, 100)))
conditional: gt.LyapunovSpectrum = gt.lyapunov_spectrum(net, k=3, inputs=shown_series, parameters=None, rng=0)
in_windows: gt.FiniteTimeExponents = gt.finite_time_exponents(net, 5, k=2, inputs=shown_series)
nine_of_ten: np.ndarray = in_windows.quantiles([0.05, 0.95]) + in_windows.power * in_windows.diffusion
each_sequence: np.ndarray = conditional.by_sequence[: conditional.n_sequences]
found: gt.NetworkFixedPoints = net.find_fixed_points(16, rng=0)
split: gt.SplitWeights = gt.split_weights(net, initial=planted)
learned_part: gt.SplitField = split.fields["h"]
directions: int = learned_part.n_learned
low_rank_part: np.ndarray = learned_part.matrix(learned_part.strengths)
without_learned: gt.Network = split.without(["h"])
random_ensemble: gt.Ensemble = split.ensemble
foretold: gt.PredictedOutliers = gt.predicted_outliers(net, split, state, state[None], held=0.9)
seen_apart: np.ndarray = foretold.values[foretold.resolved]
learned_matrices: np.ndarray = split.learned + split.for_outliers - split.least_error - split.random

# --- training

libraries: gt.InitialisationTable = gt.defaults(10)
shallow: gt.InitialisationRow = libraries["torch RNN"]
slow_biases: gt.Initialisation = gt.chrono(gt.LSTM, 100, gain=1.0)
beside: gt.InitialisationTable = gt.compare_initialisations(
    [slow_biases, gt.gilboa(gt.LSTM, bias=5.0), gt.orthogonal(gt.LSTM, bias={"f": 1.0}), gt.Ensemble(gt.LSTM)], 10
)
stands: list[float] = [row.learning_rate for row in beside] + [row.log10_eps for row in beside]
for library in libraries:
    print(library.name, library.ensemble.gain, library.radius)
plan: gt.Design = gt.design(gt.GRU, {"slow_fraction": {200: 0.2}}, {"gain.r": 1.0})
wanted: float = plan.solution["bias.z"]
told_apart: gt.Modes = gt.learned_modes(net, state, split)
slow_and_learned: float = told_apart.count("learned", slow=True)
from_where: dict[str | None, float] = {mode.field: mode.share for mode in told_apart.of_kind("learned")}
findings: gt.Diagnosis = gt.diagnose(net, initial=planted)
learned_by_field: dict[str, int] = findings.modes.n_learned
whole_mode: gt.Mode = findings.modes.listed[0]
advice: list[str] = findings.advice
resting: gt.FixedPointAnalysis = gt.fixed_point_analysis(net, held=np.zeros((2, 3, 100)))
at_first: gt.HeldFixedPoints = resting[0]
attractors: np.ndarray = at_first.stable
under_first: gt.Network = resting.network_at(0)

layer = init_(torch.nn.GRU(3, 100), gt.chrono(gt.GRUResetAfter, 200.0), rng=0, what="biases")
layer = init_(init_(layer, plan), shallow, what="weights")
trained: gt.Network = from_state_dict(layer.state_dict())
held_weights: gt.Contents = gt.read(
    layer, kind="GRU", nonlinearity=None, batch_first=False, names=None, order=None, transposed=False
)
as_read: gt.Network = held_weights.layer(0, "forward", prefix="").network
module_weights: RecurrentWeights = held_weights.weights("")
ragged: Sequences = module_weights.sequences([np.zeros((5, 3)), np.zeros((3, 3))], lengths=[4, 2])
along_data: Recording = module_weights.record(ragged.array, 0, "forward", lengths=[4, 2], state=np.zeros((1, 2, 100)))
last_outputs: np.ndarray = along_data.outputs[along_data.running]
one_layer: RecurrentLayer = along_data.layer
by_input: np.ndarray = one_layer.input_jacobian(along_data.states[0, 0], np.zeros(3))
on_top: Stack = held_weights.stack()
stacked_run: StackRecording = on_top.record(ragged.array, lengths=[4, 2], state=on_top.zero_state())
stack_states, stack_input = stacked_run.at([1], [0])
whole_jacobian: np.ndarray = on_top.jacobian(stack_states, stack_input)
union: list[np.ndarray] = [*on_top.layer_eigenvalues(stack_states, stack_input), on_top.singular_values(stack_states, stack_input)]
along_lengths: gt.Diagnosis = gt.diagnose(layer, [np.zeros((5, 3)), np.zeros((3, 3))], state=np.zeros((1, 2, 100)))
shortest_steps: int | None = along_lengths.shortest
n_modules: int = len(held_weights) + len(held_weights.names) + held_weights.weights("").n_layers

# --- theory against networks

case: gt.Case = gt.Case("wide", ensemble, "planted", taus=(5.0,))
held: gt.Validation = gt.validate([ensemble, case, gt.complexity(ensemble)], n_units=100, lambdas=[1.2], level=0.01)
held.to_csv("held.csv")

# --- results of one's own, and files


@gt.result("user.count")
@dataclass(frozen=True)
class Count:
    ensemble: gt.Ensemble
    number: float


def gap(spectrum: gt.Spectrum) -> float:
    return 1.0 - spectrum.radius()


mine: float = Count(ensemble, 3.0).number
gt.register_quantity("gap", gap, long_name="distance of the spectrum from the unit circle")
path: Path = gt.save(count, "complexity.json")
references: gt.Citations = gt.cite(gt.GRU, count)
reference_keys: tuple[str, ...] = references.keys
bibtex: dict[str, str] = gt.cite().entries
again: object = gt.load(path)

# --- flows

flow: gt.flow.Flow = gt.GRUFlow(U_h=[[3.0, -3.0], [3.0, 3.0]])
also: gt.flow.GRUFlow = gt.flow.simplify(flow)
pulses: gt.flow.Piecewise = gt.flow.Noise(np.ones((3, 2)), 1.0).sample(10.0, 0.1, rng=0)
driven: gt.flow.Flow = flow.with_input(gt.flow.Periodic(5.0, sines={"h": [0.5]})).at_time(2.0)
follows: gt.flow.PeriodicResponse = gt.flow.periodic_response(flow, [0.1, 0.2])
seen: np.ndarray = gt.flow.stroboscopic(flow, [0.1, 0.2], 3)
all_points: gt.flow.FlowFixedPoints = flow.fixed_points("certified")
topology: gt.flow.Topology = all_points.topology
factor: gt.flow.Line | str = flow.along("gain.h")
point: gt.flow.FlowFixedPoint = all_points.points[0]
attracting: gt.flow.Attractors = gt.flow.attractors(flow)
along: gt.flow.AttractorsAlong = gt.flow.attractors_along(flow, "b_h[0]", [0.0, 0.1], n=10)
changes: list[gt.flow.AttractorChange] = along.changes
strange: list[gt.flow.Irregular] = attracting.irregular
regions: gt.flow.Basins = gt.flow.basins(flow)
stretches: gt.flow.BasinIntervals = gt.flow.basin_intervals(flow)
loops: list[gt.flow.Cycle] = gt.flow.cycles(flow)
loop: gt.flow.Cycle = gt.flow.find_cycle(flow, [0.1, 0.2])
branch: gt.flow.FixedPointBranch = gt.flow.continue_fixed_point(flow, "b_h[0]", [-1.0, 1.0], point.state)
bifurcation: gt.flow.Bifurcation = branch.bifurcations[0]
curve: gt.flow.BifurcationCurve | gt.flow.CycleCurve = gt.flow.continue_bifurcation(
    bifurcation, ("b_h[0]", "b_h[1]"), ((-1.0, 1.0), (-1.0, 1.0))
)
plane: gt.flow.BifurcationPlane = gt.flow.bifurcation_plane(flow, ["b_h[0]", "b_h[1]"], [[-1.0, 1.0], [-1.0, 1.0]])
special: gt.flow.Codim2Point = curve.points[0]
branches: list[gt.flow.FixedPointBranch] = gt.flow.other_branch(bifurcation, branch, [-1.0, 1.0])
orbits: gt.flow.CycleBranch = gt.flow.continue_cycle(flow, "b_h[0]", [-1.0, 1.0], loop)
coefficient: float = gt.flow.normal_form(flow, point.state, "hopf")
connection: gt.flow.Homoclinic = gt.flow.homoclinic(flow, "b_h[0]", [-1.0, 1.0], point.state)
between: gt.flow.Heteroclinic = gt.flow.heteroclinic(flow, "b_h[0]", [-1.0, 1.0], point.state, [1.0, 0.0])
through: gt.flow.ConnectionCurve = gt.flow.continue_homoclinic(connection, ("b_h[0]", "b_h[1]"), [[0.0, 1.0], [0.0, 2.0]])
special = through.points[0]
end: gt.flow.InfinitePeriod = gt.flow.end_of_period(orbits)
periods: gt.flow.PeriodLaw = connection.period_law([1e-3, 1e-4])
mapped: gt.flow.MapAttractors = gt.flow.map_attractors(flow)
one: gt.flow.MapAttractor = mapped.attractors[0]
rates: gt.flow.FlowExponents = gt.flow.lyapunov_spectrum(flow, time=1000.0, step=None)
rates = gt.lyapunov_spectrum(flow, step=1.0)
chaotic: gt.flow.GRUFlow = gt.flow.chaotic_gru()
cascade: gt.flow.SectionDiagram = gt.flow.section_diagram(chaotic, "b_h[0]", [0.5, 0.4], [0.1, 0.2, 0.3], n_exponents=1)
crossings: gt.flow.PoincareSection = gt.flow.poincare_section(flow, [0.1, 0.2], normal=0, level=0.0)
compared: gt.flow.FlowAndMap = gt.flow.flow_and_map(flow, 0.5)
valley: gt.flow.SlowManifold = gt.flow.slow_manifold(flow)
numbers: gt.flow.TopologyCounts = gt.flow.count_fixed_points(gt.GRU, net.matrices[None])
region: gt.flow.TopologyMap = gt.flow.topology_map(flow, {"b_h[0]": [0.0, 1.0], "gain.h": [0.5, 1.0]}, cycles=True)
searched: gt.flow.TopologySearch = gt.flow.search_topologies(10, rng=0)
catalogue: dict[gt.flow.Topology, gt.flow.GRUFlow] = gt.flow.topology_catalogue()
kept_in: Path = gt.flow.kernel_directory()
removed: int = gt.flow.clear_kernels()

# --- pictures

axes: Axes = gt.plotting.plot_spectrum(spectrum, eigenvalues, outliers=True)
axes = gt.plotting.plot_density(spectrum, ax=axes)
axes = gt.plotting.plot_phase_diagram(table, "radius")
axes = gt.plotting.plot_timescales(spectrum)
axes = gt.plotting.plot_diagnosis(findings)
axes = gt.plotting.plot_fixed_points(resting, held=1)
axes = gt.plotting.plot_fixed_points(found, np.zeros((5, 2, 100)), ax=axes)
axes = gt.plotting.plot_modes(findings, state=1, ax=axes)
axes = gt.plotting.plot_modes(gt.learned_modes(net, state), spectrum=spectrum)
axes = gt.plotting.plot_mode_shares(findings, n=5)
axes = gt.plotting.plot_design(plan)
axes = gt.plotting.plot_complexity(table)
axes = gt.plotting.plot_singular_values(spectrum.singular_values(), n=50)
axes = gt.plotting.plot_pseudospectrum(spectrum, [0.1, 0.3])
axes = gt.plotting.plot_correlation_transient({"tied": meeting}, "h")
axes = gt.plotting.plot_pair(pair, "h")
axes = gt.plotting.plot_autocorrelation({"chaos": moving}, "h", spectrum=True)
axes = gt.plotting.plot_gradients_by_lag(findings, growth=gt.gradient_growth(spectrum, 10))
axes = gt.plotting.plot_lyapunov_spectrum({"alone": exponents, "driven": conditional})
axes = gt.plotting.plot_finite_time_exponents(in_windows, which=1, by_length=True)
small_pictures: list[Axes] = gt.plotting.plot_eigenvalues_along(np.zeros((5, 3), dtype=complex), [0, 4], ax=[axes, axes])
gt.plotting.animate_eigenvalues(np.zeros((5, 3), dtype=complex), interval=50.0).save("eigenvalues.gif", writer="pillow")
axes = gt.plotting.plot_gradient_growth({"tied": gt.gradient_growth(spectrum, 10)})
mesh, levels = gt.plotting.draw_count(axes, [1.0, 2.0], [1.0, 2.0], [[1, 3], [3, 5]])
axes = gt.flow.plot_portrait(flow, loops, points=all_points, orbits=mapped)
axes = gt.flow.plot_attractors_along(along, coordinate=0)
axes = gt.flow.plot_basins(regions)
axes = gt.flow.plot_section(crossings, returns=True)
axes = gt.flow.plot_topology_map(region)
axes = gt.flow.plot_bifurcations(branch, orbits)
axes = gt.flow.plot_curves(curve)
curves: dict[str, list[np.ndarray]] = gt.flow.separatrices(flow, length=10.0, box=(-1, 1))
