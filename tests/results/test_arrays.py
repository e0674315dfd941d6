"""Results with arrays: saved as netCDF and read back bit for bit, damage noticed."""

import json
import pickle

import netCDF4
import numpy as np
import pytest
import sympy as sp
import xarray as xr

import gating_theory as gt
from gating_theory.results.checksum import checksum_of_dataset

GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}, bias_std={"z": 1 / 3})


def cell_of_my_own(power=1):
    h, y = sp.symbols("h y", real=True)
    return gt.Cell(name="mine", state=[h], fields=[y], messages=[h], update=[sp.tanh(y) ** power])


def same_arrays(one, other):
    """Everything in two dataclasses, what they hold included, bit for bit."""
    assert type(one) is type(other)
    for name in one.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        if hasattr(a, "__dataclass_fields__"):
            same_arrays(a, b)
        elif isinstance(a, gt.Network):
            same_network(a, b)
        elif isinstance(a, dict) and any(isinstance(v, np.ndarray) or hasattr(v, "__dataclass_fields__") for v in a.values()):
            assert list(a) == list(b), name
            for v, w in zip(a.values(), b.values()):
                same_arrays(v, w) if hasattr(v, "__dataclass_fields__") else np.testing.assert_array_equal(v, w)
        elif isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name
        else:
            assert a == b or np.isnan([a, b]).all(), name


def as_good_when_pickled(result, same):
    """A round trip through pickle, as workers send results, also once what is derived has been asked for."""
    for name in ("sites", "spectrum", "law"):
        getattr(result, name, None)
    same(pickle.loads(pickle.dumps(result)), result)


def same_network(one, other):
    assert one.ensemble == other.ensemble
    for name in ("matrices", "biases", "parameters", "input"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("batch", [None, 2])
def test_networks(tmp_path, batch):
    ensemble = gt.Ensemble(gt.PeepholeLSTM, gain=2, bias_std=0.3, input_std=0.2)
    net = gt.Network.sample(ensemble, 5, rng=0, batch=batch)
    again = gt.load(gt.save(net, tmp_path / "net.nc"))
    same_network(again, net)
    state = net.random_state(0)
    assert np.array_equal(again.step(state), net.step(state))
    as_good_when_pickled(net, same_network)
    assert not pickle.loads(pickle.dumps(net)).matrices.flags.writeable


def test_sites(tmp_path):
    point = gt.fixed_points(GRU)[-1]
    for sites in (gt.Network.sample(GRU, 7, rng=0).sites(np.zeros((1, 7))), point.sites_at(1e-2)):
        same_arrays(gt.load(gt.save(sites, tmp_path / "sites.nc")), sites)
        as_good_when_pickled(sites, same_arrays)
    as_good_when_pickled(point, same_arrays)


@pytest.mark.parametrize(("record", "tangent"), [(0, False), (3, True)])
def test_simulations(tmp_path, record, tangent):
    run = gt.simulate(gt.Ensemble(gt.GRU, gain=3), 50, 6, rng=0, record=record, tangent=tangent, dtype="float32")
    same_arrays(gt.load(gt.save(run, tmp_path / "run.nc")), run)
    as_good_when_pickled(run, same_arrays)


@pytest.mark.parametrize("lyapunov_units", [0, 100])
def test_steady_states(tmp_path, lyapunov_units):
    steady = gt.steady_state(gt.Ensemble(gt.GRU, gain=5), 200, 40, rng=0, lyapunov_units=lyapunov_units)
    again = gt.load(gt.save(steady, tmp_path / "steady.nc"))
    same_arrays(again, steady)
    as_good_when_pickled(steady, same_arrays)
    # not only equal: as good for every calculation
    assert gt.Spectrum(again).radius() == gt.Spectrum(steady).radius()
    assert np.array_equal(again.autocorrelation([0, 2])["fields"], steady.autocorrelation([0, 2])["fields"])


def test_diagnoses(tmp_path):
    net = gt.Network.sample(gt.Ensemble(gt.LSTM, gain={"g": 3}), 12, rng=0)
    same = {}
    for name, one in {"moving": net, "at rest": gt.Network.sample(gt.Ensemble(gt.GRU, gain=0.0), 4, rng=0)}.items():
        found = gt.diagnose(one, n_states=2, taus=(10, 0.1 + 0.2))
        again = gt.load(gt.save(found, tmp_path / "diagnosis.nc"))
        same_arrays(again, found)
        as_good_when_pickled(found, same_arrays)
        assert str(again) == str(found) and again.as_dict() == found.as_dict()
        same[name] = again.spectrum.radius() == found.spectrum.radius()
    assert all(same.values())


def signed_again(path, data):
    """The Dataset at ``path`` with a checksum that fits."""
    data.to_netcdf(path)
    raw = xr.load_dataset(path, decode_cf=False)
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr("gating_theory_checksum", checksum_of_dataset(raw, "gating_theory_checksum"))


def test_damaged_results_with_arrays(tmp_path):
    steady = gt.steady_state(gt.Ensemble(gt.GRU, gain=5), 50, 20, rng=0, lyapunov_units=0)
    gt.save(steady, tmp_path / "steady.nc")
    whole = xr.load_dataset(tmp_path / "steady.nc")
    record = json.loads(whole["gating_theory_record"].item())

    def refused(data, words):
        signed_again(tmp_path / "changed.nc", data)
        with pytest.raises(ValueError, match=rf"changed\.nc .*{words}"):
            gt.load(tmp_path / "changed.nc")

    def with_result(**changes):
        return whole.assign(gating_theory_record=((), json.dumps(record | {"result": record["result"] | changes})))

    refused(whole.drop_vars("simulation.moments"), "'simulation.moments' is missing")
    cut = {"simulation.state.1": slice(0, 10)}
    refused(whole.isel(cut), r"state must have shape \(1, 50\), got \(1, 10\)")
    fields = "simulation.sites.fields"
    refused(whole.assign({fields: np.nan * whole[fields]}), "fields must be finite")
    refused(whole.assign({fields: whole[fields].astype("float32")}), "must be of type float64, got float32")
    refused(with_result(**{"$kind": "pickle"}), "unknown kind 'pickle'; known are")
    refused(with_result(moments={"h": 1.0}), "moments must be those of")
    ensemble = record["result"]["ensemble"]
    other = {"$cell": ensemble["cell"]["$cell"] | {"update": ["h"]}}
    refused(with_result(ensemble=ensemble | {"cell": other}), "another cell 'GRU'")
    (tmp_path / "cut.nc").write_bytes((tmp_path / "steady.nc").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut\.nc is not a saved result"):
        gt.load(tmp_path / "cut.nc")


def test_arrays_with_a_cell_of_ones_own(tmp_path):
    net = gt.Network.sample(gt.Ensemble(cell_of_my_own()), 4, rng=0)
    path = gt.save(net, tmp_path / "mine.nc")
    same_network(gt.load(path, cell=cell_of_my_own()), net)
    with pytest.raises(ValueError, match=r"mine\.nc.*'mine'.*cell="):
        gt.load(path)
    with pytest.raises(ValueError, match="another cell 'mine'"):
        gt.load(path, cell=cell_of_my_own(power=2))
