"""``gating-theory gradients``: the numbers of the library, as text, JSON and pictures."""

import json

import numpy as np
import pytest

import gating_theory as gt


def test_gradients(command):
    code, out, err = command("gradients", "--gain", "0.5773502691896258", "--steps", "100", "1")
    assert (code, err) == (0, "")
    # PyTorch's default, theory sheet, section 7
    assert "tied weights: 10^-0.5673 through 1, 10^-39.35 through 100" in out and "untied weights" in out
    assert "mean square 0.2708333333" in out and "standard deviation of squares 0.104167" in out and "largest 0.71357" in out


def test_a_loss_on_h(command):
    arguments = ("--cell", "LSTM", "--gain", "1e-3", "--bias", "f=1", "--weights", "tied", "--block", "h", "--json")
    code, out, _ = command("gradients", *arguments)
    (row,) = json.loads(out)["fixed_points"]
    f, o = 1 / (1 + np.exp(-1.0)), 0.5
    assert list(row["log10_growth"]) == ["tied"]
    for steps in (1, 10, 100):  # dh_T = o f^T dc_0, but for (T w / f)^2, w = o a_g / 2
        assert row["log10_growth"]["tied"][str(steps)] == pytest.approx(2 * np.log10(o * f**steps), abs=1e-3)
    assert row["atom"] == pytest.approx(0.5, abs=1e-4)
    code, _, err = command("gradients", "--block", "c")
    assert code == 2 and "block must be" in err


def test_with_a_network_and_pictures(command, tmp_path):
    where = tmp_path / "new"
    code, out, _ = command("gradients", "--gain", "h=1.5", "--steps", 3, "--n-units", 80, "--json", "--out", where)
    assert code == 0 and {p.name for p in where.iterdir()} == {"gradients.json", "singular_values.png", "growth.png"}
    record = json.loads(out)
    assert json.loads((where / "gradients.json").read_text()) == record
    net, state = gt.Network.planted(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 1.5}))[-1], 80, 0)
    values = np.linalg.svd(net.jacobian(state), compute_uv=False)
    assert record["network"]["mean_square"] == pytest.approx(np.mean(values**2), rel=1e-9)
    # 64 directions of 80 units: 5000 numbers, their square is known to a few per cent
    exact = np.mean(np.linalg.matrix_power(net.jacobian(state), 3) ** 2) * 80
    assert record["network"]["log10_growth"]["3"] == pytest.approx(np.log10(exact), abs=0.1)


def test_what_does_not_converge_is_said_and_the_rest_printed(command, tmp_path):
    # gains of 5: the largest singular value is set by the rarest sites, and populations of sites do not agree on it
    point = gt.fixed_points(gt.Ensemble(gt.LSTM, gain=5))[-1]
    with pytest.raises(gt.ConvergenceError) as failed:
        gt.Spectrum(point).singular_values().largest()
    about = float(np.ravel(failed.value.estimate)[0])
    where = tmp_path / "out"
    arguments = ("gradients", "--cell", "LSTM", "--gain", 5, "--steps", 10, "--weights", "untied", "--out", where)
    code, out, err = command(*arguments)
    assert code == 0 and f"largest singular value: not converged (about {about:.4g})" in out
    assert f"10^{gt.gradient_growth(point, 10, 'untied').log10[10]:.4g} through 10" in out
    assert "no singular_values.png: largest singular value" in err
    assert {p.name for p in where.iterdir()} == {"gradients.json", "growth.png"}
    row = json.loads((where / "gradients.json").read_text())["fixed_points"][-1]
    assert row["largest"] is None and row["not_converged"] == {"largest": pytest.approx(about)}
