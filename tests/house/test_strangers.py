"""What a stranger adds from outside the package, in about ten lines each: a law of matrices, a quantity, a result."""

import json
import pickle
import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import LIMIT
from gating_theory.sweeps.quantities import QUANTITIES

# --- a law of matrices


@dataclass(frozen=True)
class RandomSigns(gt.MatrixLaw):
    """Entries +- a / sqrt N: iid, so that the limit N -> infinity is that of normal entries."""

    name = "random_signs"
    holds = LIMIT

    def draw(self, n, rng, count=1):
        return rng.choice([-1.0, 1.0], size=(count, n, n))


@dataclass(frozen=True)
class Nilpotent(gt.MatrixLaw):
    """Strictly lower triangular: nothing of the theory holds, and nothing is claimed."""

    name = "nilpotent"

    def draw(self, n, rng, count=1):
        return np.sqrt(2.0) * np.tril(rng.standard_normal((count, n, n)), -1)


def signs(cell=gt.GRU, **changes):
    return gt.Ensemble(cell, **{"gain": {"z": 1, "r": 1, "h": 3}, **changes}, matrices=RandomSigns())


def test_signs_are_drawn_and_theirs_is_the_theory_of_the_limit():
    ensemble = signs(bias={"z": 0.5})
    net = gt.Network.sample(ensemble, 600, rng=0)
    for k, gain in enumerate(ensemble.gain.values()):
        np.testing.assert_array_equal(np.abs(net.matrices[k]), gain / np.sqrt(600))
    iid = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}, bias={"z": 0.5})
    assert [p.moments for p in gt.fixed_points(ensemble)] == [p.moments for p in gt.fixed_points(iid)]
    # a fixed point of a network of signs: its moments are those of the limit within the scatter of 600 sites, and so is the radius
    state = net.run(net.random_state(rng=1), 400)
    sites = net.sites(state)
    assert sites.matrices["h"] == RandomSigns()
    radius = gt.Spectrum(sites).radius()
    outside = np.abs(net.eigenvalues(state)).max() / radius - 1.0
    # the largest of 600 eigenvalues lies beyond the edge by a few N^(-1/2) of its own scale at most
    assert abs(outside) < 0.15


def test_a_law_is_part_of_the_ensemble():
    ensemble = signs()
    assert ensemble != gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}) and "RandomSigns()" in repr(ensemble)
    assert gt.Ensemble.from_dict(ensemble.as_dict()) == ensemble
    assert ensemble.replace({"gain.h": 2.0}).matrices == ensemble.matrices
    mixed = ensemble.with_matrices({"h": RandomSigns()})
    assert mixed.matrices == {"z": gt.IID(), "r": gt.IID(), "h": RandomSigns()}
    net = gt.Network.sample(mixed, 50, rng=0)
    assert np.unique(np.abs(net.matrices[2])).size == 1 and np.unique(np.abs(net.matrices[0])).size == 2500
    assert ensemble.with_matrices("iid") == gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3})


@pytest.mark.parametrize("wrong", ["haar", 3, None, {"q": "iid"}, {"h": 1.0}])
def test_what_is_no_law(wrong):
    with pytest.raises((TypeError, ValueError), match="matrices"):
        gt.Ensemble(gt.GRU, matrices=wrong)


def test_laws_that_are_not_well_made_say_so():
    class NoDataclass(gt.MatrixLaw):
        name = "no_dataclass"

        def draw(self, n, rng, count=1):
            return rng.standard_normal((count, n, n))

    @dataclass(frozen=True)
    class OneForAll(gt.MatrixLaw):
        name = "one_for_all"

        def draw(self, n, rng, count=1):
            return rng.standard_normal((n, n))  # the same matrix for all fields, if it were let through

    assert gt.Ensemble(gt.GRU).matrices["h"] == gt.IID()  # others are not disturbed
    with pytest.raises(TypeError, match="NoDataclass must be a frozen dataclass"):
        gt.Ensemble(gt.GRU, matrices=NoDataclass())
    with pytest.raises(TypeError, match=r"OneForAll\(\) must draw an array of shape \(3, 10, 10\), got shape \(10, 10\)"):
        gt.Network.sample(gt.Ensemble(gt.GRU, matrices=OneForAll()), 10, rng=0)
    with pytest.raises(ValueError, match=r"unknown facts \['spectra'\]"):

        class Misspelt(gt.MatrixLaw):
            name = "misspelt"
            holds = frozenset({"spectra"})


def test_fields_without_a_matrix_need_no_law():
    """A gain of zero: whatever the law, nothing is asked of it."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 3}, matrices={"z": RandomSigns()})
    net, state = gt.Network.planted(gt.fixed_points(ensemble)[-1], 30, rng=0)
    np.testing.assert_allclose(net.step(state), state, atol=1e-13)
    unknown = ensemble.with_matrices({"z": "unknown"})
    assert not gt.Network.sample(unknown, 30, rng=0).matrices[0].any()


#: Every calculator that takes an ensemble, and what it needs of the law.
CALCULATORS = {
    "fixed_points": lambda e: gt.fixed_points(e),
    "onset": lambda e: gt.onset(e, "gain.h"),
    "fold": lambda e: gt.fold(e, "gain.h"),
    "tricritical": lambda e: gt.tricritical(e, "gain.r", "gain.h"),
    "complexity": lambda e: gt.complexity(e),
    "complexity_onset": lambda e: gt.complexity_onset(e, "gain.h"),
    "kac_rice": lambda e: gt.kac_rice(e, 4, 200, rng=0),
    "simulate": lambda e: gt.simulate(e, 50, 20, rng=0),
    "steady_state": lambda e: gt.steady_state(e, 50, 20, rng=0),
    "largest_exponent": lambda e: gt.largest_exponent(e, 50, 20, rng=0),
    "dmft": lambda e: gt.dmft(e.replace({"gain.z": 0.0})),
    "chaos_line": lambda e: gt.chaos_line(e.replace({"gain.z": 0.0}), "gain.h"),
    "chaos_tricritical": lambda e: gt.chaos_tricritical(e, "gain.r", "gain.h"),
    "echo_state": lambda e: gt.echo_state(e.replace({"gain.z": 0.0})),
    "echo_line": lambda e: gt.echo_line(e.replace({"gain.z": 0.0}), "gain.h", (1.0, 3.0)),
    "dmft_states": lambda e: gt.dmft_states(e.replace({"gain.z": 0.0})),
    "chaos_onset": lambda e: gt.chaos_onset(e, "gain.h", (1.0, 4.0), n_units=50, n_steps=40, n_networks=1, tol=0.5),
    "phase_diagram": lambda e: gt.phase_diagram(e, {"gain.h": [2.0, 3.0]}, ["count", "radius"]),
    "Network.planted": lambda e: gt.Network.planted(gt.fixed_points(e)[-1], 20, rng=0),
    "Spectrum": lambda e: gt.Spectrum(gt.Network.sample(e, 20, rng=0).sites(np.zeros(20))).radius(),
    "count_fixed_points": lambda e: gt.count_fixed_points(e, 4, 2, rng=0),
    "Network.sample": lambda e: gt.Network.sample(e, 20, rng=0),
    "design": lambda e: gt.design(e, {"abscissa": 0.9}, free=("gain.h",)),
    "FixedPoint.sites": lambda e: gt.fixed_points(e)[-1].sites,
    "Spectrum.density": lambda e: gt.Spectrum(gt.fixed_points(e)[-1]).density(0.5),
    "Spectrum.outliers": lambda e: gt.Spectrum(gt.fixed_points(e)[-1]).outliers(),
    "diagnose": lambda e: gt.diagnose(gt.Network.sample(e, 20, rng=0), n_states=2),
    "lyapunov_spectrum": lambda e: gt.lyapunov_spectrum(gt.Network.sample(e, 10, rng=0), k=1, n_steps=20, rng=0),
    "validate": lambda e: gt.validate(gt.Case("own", e, "chaotic"), n_units=50, n_networks=1),
    "Spectrum.isolated": lambda e: gt.Spectrum(gt.fixed_points(e)[-1]).isolated(50),
    "Spectrum.finite_size": lambda e: gt.Spectrum(gt.fixed_points(e)[-1]).finite_size(50, n_draws=2),
    "find_fixed_points": lambda e: gt.Network.sample(e, 10, rng=0).find_fixed_points(4, rng=0),
}
#: What random signs cannot: normal matrices at finite N.
_NORMAL_ONLY = {"kac_rice", "simulate", "steady_state", "largest_exponent", "chaos_onset", "Network.planted"}
_NORMAL_ONLY |= {"validate", "Spectrum.finite_size", "Spectrum.isolated"}
#: What is true of every network that can be drawn.
_ANY = {"Network.sample", "count_fixed_points", "lyapunov_spectrum", "find_fixed_points"}


@pytest.mark.parametrize("name", CALCULATORS)
def test_every_calculator_serves_or_refuses_by_name(name):
    calculate = CALCULATORS[name]
    if name in _NORMAL_ONLY:
        with pytest.raises(gt.CapabilityError, match=r"field 'z' has the law RandomSigns\(\).*use "):
            calculate(signs())
    else:
        assert calculate(signs()) is not None
    odd = signs().with_matrices(Nilpotent())
    if name in _ANY:
        assert calculate(odd) is not None
    else:
        with pytest.raises(gt.CapabilityError, match=r"field '[zr]' has the law Nilpotent\(\).*use "):
            calculate(odd)


def test_a_cell_of_ones_own_with_a_law_of_ones_own_is_not_judged_by_normal_matrices():
    """What signs make of N units is not known, and validate says so of any of their states before it samples a network."""
    y, s = sp.symbols("y_h s", real=True)
    cell = gt.Cell(name="own", state=[s], fields=[y], messages=[s], update=[0.5 * (s + sp.tanh(y))], fixed_point=[sp.tanh(y)])
    ensemble = gt.Ensemble(cell, gain=2.0, matrices=RandomSigns())
    for source in (ensemble, gt.fixed_points(ensemble), gt.complexity(ensemble), gt.Case("moving", ensemble, "chaotic")):
        with pytest.raises(gt.CapabilityError, match=r"^validate needs .* field 'h' has the law RandomSigns\(\).*use Spectrum"):
            gt.validate(source, n_units=50, n_networks=1)
    assert gt.validate(ensemble.with_matrices("iid"), n_units=50, n_networks=1).rows


@pytest.mark.parametrize("name", CALCULATORS)
def test_weights_of_unknown_law_get_no_answer_for_iid_ones(name):
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 3}), 30, rng=0)
    given = gt.Network(gt.GRU, net.matrices, net.biases)
    assert given.ensemble.matrices["h"].name == "unknown"
    if name == "Spectrum":  # at their sites theory may be asked, and says what it assumes
        spectrum = gt.Spectrum(given.sites(np.zeros(30)))
        assert spectrum.matrices == dict.fromkeys("zrh", gt.IID()) and "assuming iid" in repr(spectrum)
        assert "assuming" not in repr(gt.Spectrum(net.sites(np.zeros(30))))
        return
    with pytest.raises(gt.CapabilityError, match=r"Unknown\(\).*with_matrices"):
        CALCULATORS[name](given.ensemble)
    assert given.ensemble.with_matrices("iid").matrices["h"] == gt.IID()


# --- a result


@gt.result("my_result")
@dataclass(frozen=True, eq=False)
class MyResult:
    ensemble: gt.Ensemble
    values: np.ndarray
    mean: float

    def check(self):
        if not abs(self.values.mean() - self.mean) < 1e-9:
            raise ValueError("mean is not that of the values")


@pytest.mark.parametrize("size, start", [(3, b"{"), (20_000, b"\x89HDF")])
def test_a_result_of_ones_own_is_saved(tmp_path, size, start):
    values = np.random.default_rng(0).standard_normal(size)
    mine = MyResult(signs(), values, float(values.mean()))
    file = gt.save(mine, tmp_path / "mine")
    assert file.read_bytes().startswith(start)
    for again in (gt.load(file), pickle.loads(pickle.dumps(mine))):
        assert type(again) is MyResult and again.ensemble == mine.ensemble and again.mean == mine.mean
        np.testing.assert_array_equal(again.values, values)
    assert json.loads(json.dumps(mine.as_dict()))["values"] == values.tolist()
    with pytest.raises(ValueError, match="mean is not that of the values"):
        gt.load(gt.save(MyResult(signs(), values, 7.0), file))


# --- saved laws


_LAW = """
from dataclasses import dataclass
import gating_theory as gt

@dataclass(frozen=True)
class Scaled(gt.MatrixLaw):
    share: float
    name = "scaled_uniform"

    def draw(self, n, rng, count=1):
        return self.share * rng.uniform(-1.0, 1.0, (count, n, n))
"""


def in_a_new_process(directory, code):
    command = [sys.executable, "-c", f"import gating_theory as gt\n{code}"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_an_ensemble_with_a_law_of_ones_own_is_saved(tmp_path):
    ensemble = signs(bias={"z": 0.1})
    file = gt.save(ensemble, tmp_path / "signs.json")
    assert gt.load(file) == ensemble and gt.load(file).matrices["h"] == RandomSigns()
    point = gt.fixed_points(ensemble)[-1]
    again = gt.load(gt.save(point, tmp_path / "point.json"))
    assert again == point and pickle.loads(pickle.dumps(point)).ensemble.matrices == ensemble.matrices
    sites = gt.load(gt.save(point.sites, tmp_path / "sites.nc"))
    assert sites.matrices == dict.fromkeys("zrh", RandomSigns())
    done = in_a_new_process(tmp_path, "gt.load('signs.json')")
    words = r"matrix law 'random_signs' is not defined here \(.*iid.*\): import the module that defines it"
    assert done.returncode and re.search(words, done.stderr)


def test_a_law_with_a_parameter_comes_back_where_its_class_is(tmp_path):
    (tmp_path / "laws.py").write_text(_LAW)
    save = "import laws\ngt.save(gt.Ensemble(gt.GRU, matrices={'h': laws.Scaled(0.1)}), 'e.json')"
    load = "import laws\nassert gt.load('e.json').matrices == {'z': gt.IID(), 'r': gt.IID(), 'h': laws.Scaled(0.1)}"
    for code in (save, load):
        done = in_a_new_process(tmp_path, code)
        assert not done.returncode, done.stderr
    assert "'scaled_uniform' is not defined here" in in_a_new_process(tmp_path, "gt.load('e.json')").stderr


# --- a quantity


def distance_from_the_circle(spectrum):
    return abs(1.0 - spectrum.radius())


@pytest.fixture
def own_quantity():
    gt.register_quantity("distance", distance_from_the_circle, long_name="distance of the edge from the unit circle")
    yield "distance"
    del QUANTITIES["distance"]


def test_a_quantity_of_ones_own_is_swept(tmp_path, own_quantity):
    data = gt.phase_diagram(signs(), {"gain.h": [1.0, 3.0]}, [own_quantity, "radius"])
    np.testing.assert_array_equal(data[own_quantity], abs(1.0 - data["radius"]))
    assert gt.load(gt.save(data, tmp_path / "swept.nc")).identical(data)


def test_results_that_are_not_well_made_say_so(tmp_path):
    with pytest.raises(ValueError, match="kind 'complexity' is that of gating_theory"):

        @gt.result("complexity")
        @dataclass(frozen=True)
        class Mine:
            value: float

    with pytest.raises(TypeError, match="kind must be a name"):

        @gt.result
        @dataclass(frozen=True)
        class NoKind:
            value: float

    @gt.result("plain")
    class Plain:
        value = 0.0

    with pytest.raises(TypeError, match="Plain is neither a dataclass nor a NamedTuple"):
        gt.save(Plain(), tmp_path / "file.json")

    @gt.result("checked")
    @dataclass(frozen=True)
    class Checked:
        values: np.ndarray

        def check(self):
            if self.values.ndim != 1:
                raise ValueError("values must be a vector")

    # what would not load is not written
    with pytest.raises(ValueError, match="values must be a vector"):
        gt.save(Checked(np.zeros((2, 2))), tmp_path / "file.json")
    assert not list(tmp_path.iterdir())


#: Calculators that know low-rank parts [T11], or ask networks only.
KNOW_LOW_RANK = {
    "fixed_points",
    "FixedPoint.sites",
    "Spectrum",
    "Spectrum.density",
    "Spectrum.outliers",
    "Spectrum.finite_size",
    "Spectrum.isolated",
}
KNOW_LOW_RANK |= {"Network.sample", "count_fixed_points", "diagnose", "lyapunov_spectrum", "find_fixed_points"}


@pytest.mark.parametrize("name", sorted(set(CALCULATORS) - KNOW_LOW_RANK))
def test_calculators_that_do_not_know_low_rank_parts_refuse_them(name):
    low = gt.LowRank("h", covariance=[[1.5, 2.6], [2.6, 5.0]])
    with pytest.raises(gt.CapabilityError, match="low-rank parts"):
        CALCULATORS[name](gt.Ensemble(gt.GRU, {"z": 0.3, "r": 1, "h": 0.8}, low_rank=low))


def test_gradients_refuse_low_rank_parts_at_states_and_along_paths():
    ensemble = gt.Ensemble(gt.GRU, {"z": 0.3, "r": 1, "h": 0.8}, low_rank=gt.LowRank("h", covariance=[[1.5, 2.6], [2.6, 5.0]]))
    point, net = gt.fixed_points(ensemble)[-1], gt.Network.sample(ensemble, 20, rng=0)
    for calculate in (
        lambda: gt.gradient_growth(point, 2),
        lambda: gt.gradient_growth((net, np.zeros((4, 1, 20))), 3),
        lambda: gt.product_singular_values(point, 2),
    ):
        with pytest.raises(gt.CapabilityError, match="low-rank parts"):
            calculate()
