"""The training experiment: networks side by side are PyTorch's own, killed runs go on."""

from pathlib import Path

import numpy as np
import pytest
from gating_theory.figures import training
from gating_theory.figures.sequence_tasks import make_task

import gating_theory as gt
from gating_theory import figures

torch = pytest.importorskip("torch")

#: Mean accuracies of recall over 20, 100, 200 steps in docs/training.md.
QUOTED = {
    "unstable": {"LSTM": (0.99, 0.70, 0.36), "GRU": (0.80, 0.55, 0.35)},
    "stable": {"LSTM": (0.24, 0.13, 0.12), "GRU": (0.37, 0.19, 0.14)},
}


@pytest.mark.parametrize("kind", training.PLANS)
def test_networks_side_by_side_are_those_of_pytorch(kind):
    task = make_task("adding 6")
    hows = ["default", "orthogonal", "chrono", (1.3, 2.0)]
    modules, readouts = zip(*[training.initialised(kind, how, task, seed=3) for how in hows])
    x, target = (torch.from_numpy(a) for a in task.batch(np.random.default_rng(0), 5))
    weights = training.stacked(modules, readouts)
    out = training.forward(kind, weights, x)
    training.losses(out, target).sum().backward()
    for g, (module, readout) in enumerate(zip(modules, readouts)):
        alone = readout(module(x)[0][-1])
        assert torch.allclose(out[g], alone, atol=1e-6)
        ((alone[:, 0] - target) ** 2).mean().backward()
        assert torch.allclose(weights["weight_hh"].grad[g].mT, module.weight_hh_l0.grad, atol=1e-6)
        assert torch.allclose(weights["bias_ih"].grad[g, 0], module.bias_ih_l0.grad, atol=1e-6)


@pytest.mark.parametrize("kind", training.PLANS)
def test_training_is_that_of_a_plain_loop(kind):
    task = make_task("recall 3")
    hows = ["orthogonal", (2.0, 1.0)]
    fresh = [training.initialised(kind, how, task, seed=1) for how in hows]
    found = training.train(kind, *zip(*fresh), task, n_updates=12, seed=1)
    for score, how in zip(found, hows):
        module, readout = training.initialised(kind, how, task, seed=1)
        parameters = [*module.parameters(), *readout.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=training.LEARNING_RATE)
        rng = np.random.default_rng(1001)
        for _ in range(12):
            x, target = (torch.from_numpy(a) for a in task.batch(rng, training.BATCH))
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(readout(module(x)[0][-1]), target).backward()
            torch.nn.utils.clip_grad_norm_(parameters, training.CLIP)
            optimiser.step()
        x, target = (torch.from_numpy(a) for a in task.test())
        alone = (readout(module(x)[0][-1]).argmax(-1) == target).float().mean().item()
        # a few of 512 answers may differ by rounding
        assert score == pytest.approx(alone, abs=0.01)


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    plan = {"updates": {"recall 2": 2, "adding 4": 2}, "gain": (0.5, 2.0), "bias": (0.0, 2.0), "n_seeds": 2, "fine": 2}
    monkeypatch.setattr(training, "QUICK", plan)
    # without the search for a design, which is tested where it lives
    monkeypatch.setattr(training, "designed", lambda kind, length: training.ensemble_at(kind, 1.0, 2.0).as_dict())
    whole = training.compute(True, 0, figures.Work())
    assert dict(whole.sizes)["seed"] == 2 and np.isfinite(whole["score"]).all() and np.isfinite(whole["slow"]).all()

    trained, stop = [], 3
    run_job = training.run_job

    def killed(*piece):
        if len(trained) == stop:
            raise KeyboardInterrupt
        trained.append(piece[:3])
        return run_job(*piece)

    monkeypatch.setattr(training, "run_job", killed)
    with pytest.raises(KeyboardInterrupt):
        training.compute(True, 0, figures.Work(journals=tmp_path / "training-"))
    stop = None
    again = figures.Work(journals=tmp_path / "training-")
    assert training.compute(True, 0, again).identical(whole)
    assert len(trained) == len(set(trained)) == 8
    again.clear()
    assert not list(tmp_path.iterdir())
    text = training.findings(whole)
    assert all(f"{cell}, {task} (" in text for cell in ("GRU", "LSTM") for task in plan["updates"]) and "nan" not in text
    assert len(training.draw(whole).axes) == 5


def test_findings_say_what_is_in_the_data():
    """Scores made up to follow the slow fraction, and to go against the abscissa."""
    import xarray as xr

    grid = np.array([[0.1, 0.2], [0.3, 0.4]])
    names = ("seed", "task", "cell", "gain", "bias")
    data = xr.Dataset(
        {
            "score": (names, np.stack([grid, grid + 0.2])[:, None, None]),
            "baseline_score": (("seed", "task", "cell", "baseline"), np.full((2, 1, 1, 1), 0.25)),
            "length": ("task", [7]),
            "chance": ("task", [0.125]),
            "updates": ("task", [3]),
            "slow": (("cell", "gain", "bias", "task"), (grid / 10)[None, :, :, None]),
            "abscissa": (("cell", "gain", "bias"), 1.25 - grid[None]),
        },
        {"cell": ["GRU"], "task": ["recall 5"], "gain": [0.5, 2.0], "bias": [0.0, 3.0], "baseline": ["default"]},
    )
    text = training.findings(data)
    assert "unstable: mean score (points) yes 0.25 (2), no 0.45 (2)" in text
    assert "slow >= 0.05: mean score (points) no 0.35 (4)" in text
    assert "abscissa -1.00, slow fraction +1.00" in text
    assert "best 0.50 at gain.h = 2, bias.z = 3: abscissa 0.850, slow 0.04" in text
    assert "with the slow fraction, by a rank correlation of at least 0.5, in 1 of 1: GRU recall 5" in text
    assert "with the abscissa, by a rank correlation of at least 0.5, in 0 of 1: none" in text


def test_the_committed_findings_are_those_of_the_committed_data():
    place = Path(training.__file__).parent / "data"
    data = gt.load(place / "training.nc")
    assert training.findings(data) == (place / "training.txt").read_text(encoding="utf-8")
    # the plan is that of the code, and every score is there
    assert dict(zip(data["task"].values.tolist(), data["updates"].values.tolist())) == training.FULL["updates"]
    assert data.sizes["seed"] == training.FULL["n_seeds"] and np.isfinite(data["score"]).all()
    # the means that the page on training quotes
    unstable = data["abscissa"] > 1.0
    for name, chosen in (("unstable", unstable), ("stable", ~unstable)):
        found = data["score"].mean("seed").where(chosen).mean(("gain", "bias"))
        for cell, quoted in QUOTED[name].items():
            assert found.sel(cell=cell, task=["recall 20", "recall 100", "recall 200"]).values == pytest.approx(quoted, abs=0.0051)
    page = (place.parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    assert all(f"{value:.2f}" in page for values in QUOTED.values() for row in values.values() for value in row)
