"""Files: what is saved comes back, and whatever is damaged or foreign is refused in words."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import changed

import gating_theory as gt
from gating_theory.results.checksum import signed
from gating_theory.results.status import Status
from gating_theory.support.files import write_atomically

GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}, bias={"z": 0.1}, bias_std={"z": 1 / 3})


def own_cell(power=1):
    h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
    z = gt.sigma(y_z) ** power
    n = sp.tanh(y_h)
    return gt.Cell(name="mine", state=[h], fields=[y_z, y_h], messages=[h, h], update=[z * h + (1 - z) * n], fixed_point=[n])


@pytest.fixture(scope="module")
def points():
    return gt.fixed_points(GRU)


@pytest.fixture(scope="module")
def diagram():
    return gt.phase_diagram(GRU, {"gain.h": [1.0, 1.8], "bias_std.z": [0.0, 1.0]}, ("count", "moments", "stable"))


# --- round trips


def test_phase_diagram(tmp_path, diagram):
    path = gt.save(diagram, tmp_path / "diagram.nc")
    again = gt.load(path)
    xr.testing.assert_identical(again, diagram)
    assert again["count"].dtype == diagram["count"].dtype
    # the file is closed: it can be replaced by what was loaded from it
    gt.save(again, path)
    xr.testing.assert_identical(gt.load(path), diagram)
    # and any netCDF reader can open it
    with xr.open_dataset(path, engine="netcdf4") as plain:
        assert plain.attrs["gating_theory_version"] == gt.__version__
        assert json.loads(plain.attrs["provenance"])["libraries"]["numpy"] == np.__version__


def test_names_with_colons_and_dots_survive(tmp_path):
    data = xr.Dataset({"onset:gain.h": ("gain.r", [2.0, np.nan]), "tricritical:gain.r,gain.h": ((), 2.8)}, {"gain.r": [0.0, 1.0]})
    xr.testing.assert_identical(gt.load(gt.save(data, tmp_path / "line.nc")), data)


def test_fixed_points(tmp_path, points):
    assert len(points) == 3
    again = gt.load(gt.save(points, tmp_path / "points.json"))
    assert again == points
    # not only equal: as good for every calculation
    assert gt.Spectrum(again[-1]).radius() == gt.Spectrum(points[-1]).radius()
    assert gt.load(gt.save(points[1], tmp_path / "one.json")) == points[1]
    assert gt.load(gt.save(tuple(points), str(tmp_path / "tuple.json"))) == points


def test_ensemble_bit_for_bit(tmp_path):
    assert gt.load(gt.save(GRU, tmp_path / "e.json")) == GRU


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gain=st.floats(0, 1e3), bias=st.floats(-50, 50), spread=st.floats(0, 1e-300))
def test_any_ensemble(tmp_path, gain, bias, spread):
    ensemble = gt.Ensemble(gt.LSTM, gain=gain, bias=bias, bias_std={"f": spread})
    assert gt.load(gt.save(ensemble, tmp_path / "e.json")) == ensemble


def test_chaos_onset(tmp_path):
    value = gt.Critical(
        1.05,
        "gain.h",
        kind="chaos",
        error=0.02,
        discontinuous=False,
        moments={},
        ensemble=GRU.replace({"gain.h": 1.05}),
        status=Status("continuous", "onset of chaos"),
        rising=True,
        below=(-0.01, 0.002),
        above=(0.02, 0.003),
        networks=(1.04, 1.06),
        n_units=500,
        n_steps=200,
    )
    again = gt.load(gt.save(value, tmp_path / "chaos.json"))
    for other in (again, pickle.loads(pickle.dumps(value))):
        assert isinstance(other, gt.Critical) and other == value and vars(other) == vars(value)
        assert repr(other) == repr(value)


def test_critical_value(tmp_path):
    value = gt.onset(gt.Ensemble(gt.Vanilla), "gain.h")
    again = gt.load(gt.save(value, tmp_path / "onset.json"))
    assert isinstance(again, gt.Critical) and again == value and vars(again) == vars(value)
    assert vars(pickle.loads(pickle.dumps(value))) == vars(value)


def same_points(one, other):
    for name in one.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        assert type(a) is type(b), name
        if isinstance(a, np.ndarray):
            assert a.dtype.kind == b.dtype.kind and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name
        else:
            assert a == b, name


@pytest.mark.parametrize("spectra", [True, False])
def test_fixed_points_of_a_network(tmp_path, spectra):
    """Slow points have no spectral radius (nan), a single start no estimate of what is missing (inf): both survive."""
    h = np.sqrt(1 / 3)
    bias = np.arctanh(h) - 1.5 * h - 1e-3  # just past a fold: a slow point
    net = gt.Network(gt.Vanilla, np.full((1, 1, 1), 1.5), np.full((1, 1), bias))
    found = net.find_fixed_points(0, starts=[[[h - 0.01]]], rng=0, n_steps=1, spectra=spectra)
    assert found.label.tolist() == ["slow"] and found.n_missing == np.inf
    same_points(gt.load(gt.save(found, tmp_path / "f.json")), found)
    more = gt.Network.sample(gt.Ensemble(gt.LSTM, gain=3), 4, rng=0).find_fixed_points(6, rng=0, spectra=spectra)
    same_points(gt.load(gt.save(more, tmp_path / "m.json")), more)
    slowest = net.find_fixed_points(6, rng=0, spectra=spectra, objective="speed")
    assert slowest.objective == "speed" and len(slowest)
    same_points(gt.load(gt.save(slowest, tmp_path / "s.json")), slowest)
    hard = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=20.0, bias_std=1.0), 60, rng=0)
    none = hard.find_fixed_points(1, rng=0, n_steps=1, slow_tol=0.0, spectra=spectra)
    assert not len(none)
    same_points(gt.load(gt.save(none, tmp_path / "n.json")), none)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda d: d["hits"].update(shape=[0], data=[]), "hits must have an entry"),
        (lambda d: d.update(degree=7), "degree must be the sum"),
        (lambda d: d["states"].update(shape=[0], data=[]), "states must have shape"),
        (lambda d: d["label"]["data"].__setitem__(0, "quick"), "label must be"),
        (lambda d: d.update(objective="speedy"), "objective must be 'fixed' or 'speed'"),
        (lambda d: d.pop("tol"), "a network_fixed_points has the entries .*'tol'"),
        (lambda d: d.update({"$kind": "x"}), "unknown kind 'x'; known are"),
        (lambda d: d.update(n_starts=1.5), "n_starts must be an integer"),
    ],
)
def test_damaged_fixed_points_of_a_network(tmp_path, change, words):
    found = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 3, rng=0).find_fixed_points(20, rng=0)
    assert len(found) >= 2 or found.degree == 1
    path = changed(gt.save(found, tmp_path / "f.json"), lambda record: change(record["result"]))
    with pytest.raises(ValueError, match=rf"f\.json.*{words}"):
        gt.load(path)


def test_own_cell_has_to_be_given(tmp_path):
    cell = own_cell()
    points = gt.fixed_points(gt.Ensemble(cell, gain={"z": 1, "h": 2}))
    path = gt.save(points, tmp_path / "mine.json")
    assert gt.load(path, cell=own_cell()) == points
    with pytest.raises(ValueError, match=r"mine\.json.*'mine'.*cell="):
        gt.load(path)
    with pytest.raises(ValueError, match=r"mine\.json.*'mine'.*'GRU'"):
        gt.load(path, cell=gt.GRU)
    with pytest.raises(ValueError, match="another cell 'mine'"):
        gt.load(path, cell=own_cell(power=2))
    with pytest.raises(TypeError, match="cell must be a Cell, got 'mine'"):
        gt.load(path, cell="mine")


def test_provenance(tmp_path, points):
    record = json.loads(gt.save(points, tmp_path / "p.json").read_text())
    assert record["kind"] == "fixed_points" and record["format"] == "gating-theory"
    assert record["provenance"]["gating_theory"] == gt.__version__
    assert record["provenance"]["ensemble"] == GRU.as_dict()
    assert set(record["provenance"]["libraries"]) == {"numpy", "scipy", "sympy", "xarray"}


# --- refused


@pytest.mark.parametrize("thing", [3.0, "text", None, [], [1.0], {"a": 1}, gt.GRU])
def test_other_things_are_not_saved(tmp_path, thing):
    with pytest.raises(TypeError, match="result must be an xarray.Dataset, Ensemble, FixedPoint"):
        gt.save(thing, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_data_arrays_and_mixed_lists(tmp_path, points, diagram):
    with pytest.raises(TypeError, match="to_dataset"):
        gt.save(diagram["count"], tmp_path / "x")
    other = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2))
    with pytest.raises(ValueError, match="different cells"):
        gt.save([points[0], other[0]], tmp_path / "x")


@pytest.mark.parametrize("path", [3, None, b"x"])
def test_paths(path):
    for call in (lambda: gt.save(GRU, path), lambda: gt.load(path)):
        with pytest.raises(TypeError, match="path must be"):
            call()


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.nc"):
        gt.load(tmp_path / "nowhere.nc")
    with pytest.raises(FileNotFoundError, match="no_directory"):
        gt.save(GRU, tmp_path / "no_directory" / "x.json")
    with pytest.raises(IsADirectoryError, match="path must be a file"):
        gt.save(GRU, tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff\xfe\x00", b"[1, 2]", b'{"a": 1}', b'{"format": "other"}', b"\x80\x04K\x01."]
)
def test_files_that_are_no_results(tmp_path, content):
    path = tmp_path / "strange.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"strange\.bin is not a saved result"):
        gt.load(path)


def test_netcdf_that_is_no_result(tmp_path, diagram):
    path = tmp_path / "foreign.nc"
    diagram.to_netcdf(path, engine="netcdf4")
    with pytest.raises(ValueError, match=r"foreign\.nc is not a saved result"):
        gt.load(path)
    (tmp_path / "cut.nc").write_bytes(gt.save(diagram, tmp_path / "whole.nc").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"cut\.nc is not a saved result"):
        gt.load(tmp_path / "cut.nc")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda r: r.pop("result"), "damaged.*result"),
        (lambda r: r["result"].update({"$kind": "weights"}), "unknown kind 'weights'"),
        (lambda r: r.update(format_number=99), "format 99"),
        (lambda r: r.update(format_number=None), "format None"),
        (lambda r: r.update(format_number="2"), "format '2'"),
        (lambda r: r["result"].pop("moments"), "a fixed_point has the entries .*moments"),
        (lambda r: r["result"].update(moments={"h": 0.1}), "moments must be those of"),
        (lambda r: r["result"].update(moments={"h": 0.1, "r*h": -1.0}), "non-negative"),
        (lambda r: r["result"].update(moments=[0.1, 0.2]), "cannot be loaded|moments must be"),
        (lambda r: r["result"]["moments"].update({"h": 0.17}), "no fixed point"),
        (lambda r: r["result"]["ensemble"]["gain"].update(h=1.9), "no fixed point"),
        (lambda r: r["result"]["ensemble"]["gain"].update(h="import os"), "gain"),
        (lambda r: r["result"]["ensemble"].update(cell={"$cell": {"name": "os.system"}}), "os.system"),
        (lambda r: r["result"]["ensemble"].update(cell="os.system"), "cell must be a Cell, such as"),
        (lambda r: r.update(result=None), "cannot be loaded: no result"),
        (lambda r: r.update(result=[]), "cannot be loaded: no result"),
        (lambda r: r["result"]["moments"].update(h=10**400), "cannot be loaded"),
        (lambda r: r["result"].update(error={"$array": "float64", "shape": [1], "data": [10**400]}), "too large"),
    ],
)
def test_damaged_files_are_noticed(tmp_path, points, change, words):
    path = changed(gt.save(points[-1], tmp_path / "p.json"), change)
    with pytest.raises(ValueError, match=rf"p\.json.*({words})"):
        gt.load(path)


def test_damaged_critical_value(tmp_path):
    path = gt.save(gt.onset(gt.Ensemble(gt.Vanilla), "gain.h"), tmp_path / "c.json")
    with pytest.raises(ValueError, match=r"c\.json.*critical value"):
        gt.load(changed(path, lambda r: r["result"].update(value=3.0)))


# --- checksums


def noticed(path, whole, result, places):
    """Flip one bit of each byte at these places: the file is refused in words, or loads as ever. How it was refused."""
    words = set()
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            again = gt.load(path)
        except (ValueError, MemoryError) as error:
            assert path.name in str(error)
            words.add(str(error).removeprefix(str(path))[:40])
        else:
            assert again.identical(result) if isinstance(result, xr.Dataset) else again == result
    return words


def test_flipped_bits_in_json(tmp_path, points):
    """A bit of every third byte: the file is refused in words, or holds what it held."""
    path = gt.save(points[-1], tmp_path / "points.json")
    whole = path.read_bytes()
    words = noticed(path, whole, points[-1], range(0, len(whole), 3))
    assert " is damaged: its checksum does not match" in words


def test_flipped_bits_in_netcdf(tmp_path, points, diagram):
    """Noticed before the HDF5 library sees them: on some of these files it does not come back."""
    for result in (points[-1], diagram):
        path = gt.save(result, tmp_path / "file.nc")
        whole = path.read_bytes()
        assert " is damaged: its checksum does not match" in noticed(path, whole, result, range(0, len(whole), 5))
        for place in range(len(whole) - 86, len(whole)):  # the seal itself, byte by byte
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(ValueError, match="is damaged: its checksum does not match"):
                gt.load(path)


@pytest.mark.nightly
def test_all_flipped_bytes(tmp_path, points, diagram):
    path = gt.save(points[-1], tmp_path / "points.json")
    whole = path.read_bytes()
    noticed(path, whole, points[-1], range(len(whole)))
    for result in (points[-1], diagram):
        path = gt.save(result, tmp_path / "file.nc")
        whole = path.read_bytes()
        noticed(path, whole, result, range(len(whole)))


def test_changed_grids_and_attributes(tmp_path, diagram):
    path = gt.save(diagram, tmp_path / "diagram.nc")
    changes = [lambda data: data["count"].values.__setitem__(0, 7), lambda data: data.attrs.update(cell="LSTM")]
    changes += [lambda data: data["count"].attrs.update(units="m"), lambda data: data.attrs.pop("gating_theory_checksum")]
    for change in changes:
        data = xr.load_dataset(path)
        change(data)
        data.to_netcdf(tmp_path / "changed.nc")
        with pytest.raises(ValueError, match=r"changed\.nc is damaged: its checksum does not match"):
            gt.load(tmp_path / "changed.nc")


def test_earlier_formats(tmp_path, diagram):
    path = tmp_path / "old"
    path.write_text(json.dumps({"format": "gating-theory", "format_version": 1, "kind": "ensemble", "data": {}}))
    with pytest.raises(ValueError, match=r"old was written by an earlier development version \(format 1\)"):
        gt.load(path)
    diagram.assign_attrs(gating_theory_format=1).to_netcdf(path)
    with pytest.raises(ValueError, match=r"old was written by an earlier development version \(format 1\)"):
        gt.load(path)


# --- claims


def test_deep_and_long_json(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000 + "]" * 200_000)
    with pytest.raises(ValueError, match=r"deep\.json is not a saved result: it is nested too deeply"):
        gt.load(path)
    path.write_text('{"format": "gating-theory", "format_number": ' + "1" * 6000 + "}")
    with pytest.raises(ValueError, match=r"deep\.json is not a saved result"):
        gt.load(path)
    record = {"format": "gating-theory", "format_number": 2, "result": 0}
    for _ in range(400):
        record["result"] = [record["result"]]
    path.write_text(json.dumps(signed(record)))
    with pytest.raises(ValueError, match=r"deep\.json cannot be loaded"):
        gt.load(path)


def test_files_that_claim_more_than_the_memory(tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "claims.nc", "w") as file:
        file.createDimension("x", 10**8)
        file.createDimension("y", 10**6)
        file.createVariable("z", "f8", ("x", "y"), chunksizes=(1000, 1000))
    assert (tmp_path / "claims.nc").stat().st_size < 2e5
    with pytest.raises(MemoryError, match=r"claims\.nc would take 8e\+05 GB of memory; .* GB are free"):
        gt.load(tmp_path / "claims.nc")
    with open(tmp_path / "claims.json", "wb") as file:
        file.truncate(10**13)  # nothing on the disk
    with pytest.raises(MemoryError, match=r"claims\.json would take"):
        gt.load(tmp_path / "claims.json")


# --- atomic writes


@pytest.mark.parametrize("kind", ["json", "netcdf"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space left"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file_alone(tmp_path, monkeypatch, diagram, kind, error):
    result = GRU if kind == "json" else diagram
    path = gt.save(result, tmp_path / "x")
    before = path.read_bytes()

    if kind == "json":

        def half(self, text, encoding):
            with open(self, "w", encoding=encoding) as file:
                file.write(text[:10])
            raise error

        monkeypatch.setattr(Path, "write_text", half)
    else:

        def half(self, name, **options):
            with open(name, "wb") as file:
                file.write(b"\x89HDF\r\n\x1a\n half")
            raise error

        monkeypatch.setattr(xr.Dataset, "to_netcdf", half)
    with pytest.raises(type(error)):
        gt.save(result, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "nothing half-written is left"


def test_a_failing_move_leaves_nothing_behind(tmp_path, monkeypatch):
    def refuse(*names):
        raise PermissionError("not allowed")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        gt.save(GRU, tmp_path / "x.json")
    assert not list(tmp_path.iterdir())


def test_a_write_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "x", lambda name: None)
    assert not list(tmp_path.iterdir())


def test_files_have_ordinary_permissions(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    assert gt.save(GRU, tmp_path / "x.json").stat().st_mode == ordinary.stat().st_mode


def test_links_are_written_through(tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "folder" / "target.json")
    for ensemble in (GRU, gt.Ensemble(gt.LSTM)):  # a link to nothing yet, and to a file
        assert gt.save(ensemble, link) == link
        assert link.is_symlink() and not (tmp_path / "folder" / "target.json").is_symlink()
        assert gt.load(link) == gt.load(tmp_path / "folder" / "target.json") == ensemble


def test_devices_and_pipes_are_refused(tmp_path, diagram):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "full").symlink_to("/dev/full")
    for path in (tmp_path / "pipe", tmp_path / "full", Path("/dev/null")):
        for thing in (GRU, diagram):
            with pytest.raises(OSError, match="path must be a regular file"):
                gt.save(thing, path)
        with pytest.raises(OSError, match="path must be a regular file"):
            gt.load(path)
    assert (tmp_path / "full").is_symlink() and Path("/dev/null").is_char_device()


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_modes_are_kept(tmp_path, diagram, mode):
    for thing in (GRU, diagram):
        path = gt.save(thing, tmp_path / "x")
        path.chmod(mode)
        gt.save(thing, path)
        assert path.stat().st_mode & 0o777 == mode


def test_long_names(tmp_path):
    for name in ("x" * 255, "\N{GREEK SMALL LETTER ALPHA}" * 127, "y" * 250 + ".json"):
        assert gt.load(gt.save(GRU, tmp_path / name)) == GRU
    with pytest.raises(OSError, match="too long"):
        gt.save(GRU, tmp_path / ("x" * 256))
    assert len(list(tmp_path.iterdir())) == 3


def test_what_killed_processes_left_is_removed(tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from gating_theory.results.status import Status
from gating_theory.support.files import write_atomically

def die(name):
    Path(name).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

write_atomically(Path({str(tmp_path)!r}) / "x", die)
"""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "half"
    alive = tmp_path / left.name.replace(left.name.split("-")[3], str(os.getpid()))
    alive.write_text("of a process that lives")
    gt.save(GRU, tmp_path / "x")
    assert set(tmp_path.iterdir()) == {alive, tmp_path / "x"}


def test_a_full_disk_is_an_oserror(tmp_path, monkeypatch, diagram):
    def full(self, name, **options):
        Path(name).write_bytes(b"")
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OSError, match=r"x\.nc cannot be written: NetCDF: HDF error"):
        gt.save(diagram, tmp_path / "x.nc")
    assert not list(tmp_path.iterdir())


def test_large_arrays_make_netcdf(tmp_path):
    """The name does not matter but for .nc."""
    small, large = (gt.Network.sample(gt.Ensemble(gt.Vanilla), n, rng=0) for n in (5, 200))
    for net, name, start in ((small, "a", b"{"), (small, "a.nc", b"\x89HDF"), (large, "a", b"\x89HDF")):
        path = gt.save(net, tmp_path / name)
        assert path.read_bytes().startswith(start)
        assert np.array_equal(gt.load(path).matrices, net.matrices)
    with xr.open_dataset(path) as plain:  # for other programs
        assert np.array_equal(plain["matrices"].values, large.matrices)
