"""The training experiment: theory's numbers are closed forms, runs are plain loops, killed runs go on, pages quote the data."""

import json
from math import comb
from pathlib import Path

import numpy as np
import pytest
from gating_theory.figures import training, training_findings, training_runs
from gating_theory.figures.sequence_tasks import make_task
from gating_theory.figures.training_starts import STARTS, Start, designed

import gating_theory as gt
from gating_theory import figures

torch = pytest.importorskip("torch")

TINY = {
    "map": {"length": 3, "kappa": (1.0, 2.0), "rho": (0.5, 1.0), "rate": 1e-2, "updates": 12, "seeds": 1, "fine": 2},
    "edge": {"eps": (1e-4,), "ratio": (0.2, 0.3), "rate": 1e-2, "updates": 4, "seeds": 2},
    "double": {"eps": (1e-12,), "ratio": (0.1,), "rate": 1e-2, "updates": 3, "seeds": 1},
    "step": {"length": 5, "shut": (0.0, 1.0), "rate": (1e-3,), "updates": 3, "seeds": 1},
    "table": {"length": 4, "starts": ("GRU default", "LSTM design"), "rate": (1e-2,), "updates": 12, "seeds": 1},
    "digits": {"updates": 2, "seeds": 1},
}


def tied(leak, write, n_steps):
    """sum_k C(T, k)^2 leak^2(T - k) write^2k: the mean square of (leak + write U)^T of a free matrix U."""
    return sum(comb(n_steps, k) ** 2 * leak ** (2 * (n_steps - k)) * write ** (2 * k) for k in range(n_steps + 1))


@pytest.mark.parametrize("name", ["default", "orthogonal", "keras", "design", "design, kappa = 3", "onset, no biases, orthogonal"])
def test_theory_of_gru_starts_is_the_sum_over_passages(name):
    start = STARTS["GRU"][name](40)
    leak = 1.0 / (1.0 + np.exp(-start.ensemble.bias["z"]))
    write = (1.0 - leak) * 0.5 * start.ensemble.gain["h"]
    # theory is accurate to 1e-11
    assert start.log10_gradients(40)[-1] == pytest.approx(np.log10(tied(leak, write, 40)), abs=1e-9)
    assert start.sensitivity(40) == pytest.approx(40 * (1.0 - leak) * 0.5, rel=1e-9)


@pytest.mark.parametrize("shut", [0.0, 0.25, 1.0])
def test_theory_of_lstm_starts(shut):
    """A loss on h hears c with the factor o; the candidate passes i and o; at the onset leak and gain add up to one."""
    bias = np.log(30.0)
    start = designed("LSTM", 30, given=(("bias.i", -shut * bias),))
    forget, entry = (1.0 / (1.0 + np.exp(b)) for b in (-bias, shut * bias))
    write = 0.5 * entry * start.ensemble.gain["g"]
    assert forget + write == pytest.approx(1.0, abs=1e-9)
    # h_T hears c_T, which hears c_1; that hears c_0 and, without the output gate, h_0
    expected = 0.25 * (forget**2 + (write / 0.5) ** 2) * tied(forget, write, 29)
    assert 10.0 ** start.log10_gradients(30)[-1] == pytest.approx(expected, rel=1e-8)
    assert start.sensitivity(30) == pytest.approx(30 * 0.5 * entry, rel=1e-9)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, some in STARTS.items() for name in some])
def test_starts_are_what_theory_takes_them_for(kind, name):
    """Measured gains and mean biases of a module of 256 units; input weights are those of every other start of the seed."""
    start = STARTS[kind][name](20)
    assert Start.of(start.recipe()).recipe() == start.recipe()
    module = start.module(3, 256, 5)
    plain = torch.nn.LSTM if kind == "LSTM" else torch.nn.GRU
    torch.manual_seed(5)
    assert torch.equal(module.weight_ih_l0, plain(3, 256).weight_ih_l0)
    blocks = module.weight_hh_l0.detach().numpy().reshape(-1, 256, 256)
    gains = np.sqrt((blocks**2).mean((1, 2)) * 256)
    order = {"GRU": "rzh", "LSTM": "ifgo"}[kind]
    # 65536 entries: their root mean square is known to 1 / 362; four standard deviations
    assert gains == pytest.approx([start.ensemble.gain[field] for field in order], rel=0.012)
    biases = (module.bias_ih_l0 + module.bias_hh_l0).detach().reshape(-1, 256).mean(1).numpy()
    sites = start.initialisation.sites
    fields = dict(zip(sites.cell.field_names, sites.fields @ sites.weights))
    # log u of a chrono law has the standard deviation .8 at 20 steps, a mean of 256 .05; PyTorch's own biases vanish
    assert biases == pytest.approx([fields[field] for field in order], abs=0.2)


def test_a_run_is_a_plain_loop():
    """Adam on cross entropy, gradients clipped, and the accuracy of the last ten batches before they were trained on."""
    start = STARTS["GRU"]["design"](6)
    settings = training_runs.Run("noisy 6", start.recipe(), 5e-3, 1e-6, 14, 3)
    found = training_runs.run(*settings)
    module, task, rng, rights = start.module(9, training_runs.HIDDEN, 3), make_task("noisy 6"), np.random.default_rng(1003), []
    torch.manual_seed(1003)
    readout = torch.nn.Linear(training_runs.HIDDEN, 8)
    parameters = [*module.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=5e-3, eps=1e-6)
    for _ in range(14):
        x, target = (torch.from_numpy(a) for a in task.batch(rng, training_runs.BATCH))
        answer = readout(module(x)[1][0])
        rights.append(int((answer.argmax(1) == target).sum()))
        optimiser.zero_grad()
        torch.nn.CrossEntropyLoss()(answer, target).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    # a few of 320 answers may differ by rounding
    assert found["updates"] == 14 and found["score"] == pytest.approx(sum(rights[-10:]) / 320, abs=0.01)


def test_easy_tasks_are_learned_and_digits_are_scored():
    """Recall over four steps is learned within 200 updates, and runs end when it is."""
    recipe = STARTS["GRU"]["design"](4).recipe()
    clean = training_runs.run(*training_runs.Run("clean 4", recipe, 1e-2, 1e-8, 200, 0))
    assert clean["learned"] + training_runs.HELD == clean["updates"] and clean["score"] == 1.0
    noisy = training_runs.run(*training_runs.Run("noisy 4", recipe, 1e-2, 1e-8, 200, 0))
    assert noisy["learned"] <= noisy["updates"] < 200 and noisy["score"] >= training_runs.DONE
    pytest.importorskip("sklearn")
    digits = training_runs.run(*training_runs.Run("permuted", recipe, 1e-2, 1e-8, 1, 0))
    assert digits["learned"] is None and digits["updates"] == 1 and 0.0 < digits["score"] < 0.5


def test_when_a_task_counts_as_learned():
    recent = training_runs.Recent()
    seen = [recent.has_seen_enough(n, a) for n, a in enumerate([0.5] * 10 + [1.0] * 10)]
    # nine of ten at 0.9 + 0.1 x .5 = .95 after nine good batches, the last of which came after 18 updates; at 8 it is exactly .9
    assert recent.learned == 17 and seen.index(True) == 19
    held = training_runs.Held()
    accuracies = [0.5, 1.0, 1.0, 0.9] + [1.0] * 60
    seen = [held.has_seen_enough(n, a) for n, a in enumerate(accuracies)]
    assert held.learned == 4 and seen.index(True) == 4 + training_runs.HELD


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    """What was trained before a kill is not trained again, and the data are those of a run in one go."""
    monkeypatch.setattr(training, "QUICK", TINY)
    whole = training.compute(True, 0, figures.Work())
    assert np.isfinite(whole["map_score"]).all() and np.isfinite(whole["map_fine_log10_gradient"]).all()
    assert int(np.isfinite(whole["digits_score"]).sum()) == 2 and int(whole["edge_length"][0, 0]) == 4

    trained, stop = [], 9
    run = training.run

    def killed(*piece):
        if len(trained) == stop:
            raise KeyboardInterrupt
        trained.append(str(piece))
        return run(*piece)

    monkeypatch.setattr(training, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        training.compute(True, 0, figures.Work(journals=tmp_path / "training-"))
    stop = None
    again = figures.Work(journals=tmp_path / "training-")
    assert training.compute(True, 0, again).identical(whole)
    assert len(trained) == len(set(trained)) == 4 + 4 + 1 + 2 + 2 + 2
    again.clear()
    assert not list(tmp_path.iterdir())
    text = training.findings(whole)
    assert all(f"\n{letter}" in text for letter in "ABCD") and "nan" not in text
    assert len(training.draw(whole).axes) == 6


def test_findings_say_what_is_in_the_data():
    """Of made-up runs: never counts as later than all others, ranks, and where all and none learn."""
    learned = np.array([[100.0, 120.0, 900.0], [200.0, np.nan, 220.0], [np.nan, np.nan, 300.0], [np.nan] * 3])
    assert training_findings.ranked(learned).tolist() == [120.0, 220.0, np.inf, np.inf]
    log10 = np.array([-1.0, -3.0, -5.0, -20.0])
    assert training_findings.separation(log10, learned) == (-1.0, -20.0)
    # ranks of the medians 1, 2, 3.5, 3.5 against 1, 2, 3, 4
    assert training_findings.rank_correlation(log10, -training_findings.ranked(learned)) == pytest.approx(
        3 / np.sqrt(10), abs=1e-12
    )
    assert np.isnan(training_findings.rank_correlation(log10, np.ones(4)))
    rates = np.array([[[100.0, np.nan], [300.0, 400.0]], [[50.0, 60.0], [70.0, 90.0]], [[np.nan] * 2] * 2])
    assert training_findings.best_rate(rates).tolist() == [1, 0, 0]


def rows_of_the_page(data):
    """The tables of docs/guides/training.md, from the data."""
    learned, log10 = data["map_learned"].values, data["map_log10_gradient"].values
    ends = (0.0, -1.0, -2.0, -4.0, -8.0, -np.inf)
    for high, low in zip((np.inf, *ends), ends):
        some = learned[(log10 > low) & (log10 <= high)]
        where = "above 0" if high == np.inf else f"up to {high:g}" if low == -np.inf else f"{high:g} to {low:g}"
        yield f"| {where} | {np.isfinite(some).sum()} of {some.size} | {np.median(np.nan_to_num(some, nan=np.inf)):.0f} |"
    for name, words in (("edge", ""), ("double", ", double precision")):
        for i, eps in enumerate(data[f"{name}_eps"].values):
            one = data.isel({f"{name}_eps": i})
            counts, lengths = np.isfinite(one[f"{name}_learned"].values).sum(axis=-1), one[f"{name}_length"].values
            logs, edge = one[f"{name}_log10_gradient"].values, float(one[f"{name}_predicted"])
            every, none = np.flatnonzero(np.append(counts, 0) < 5)[0] - 1, np.flatnonzero(counts)[-1] + 1
            first, last = f"{lengths[every]} ({logs[every]:.1f})", "-"
            if none < lengths.size:
                last = f"{lengths[none]} ({logs[none]:.1f})"
            yield f"| 1e{np.log10(eps):.0f}{words} | {edge:.1f} ({2 * np.log10(eps):.0f}) | {first} | {last} |"
    for i, shut in enumerate(data["step_shut"].values):
        cells = []
        for one in data["step_learned"].values[i]:
            some = np.isfinite(one)
            middle = np.median(np.nan_to_num(one, nan=np.inf))
            cells.append("0" if not some.any() else f"{some.sum()} ({middle:.0f})" if np.isfinite(middle) else f"{some.sum()}")
        yield f"| {shut:g} | {float(data['step_sensitivity'][i]):.2g} | {' | '.join(cells)} |"
    for i, name in enumerate(data["table_start"].values):
        one = data.isel(table_start=i, digits_start=i)
        cells = []
        for updates in one["table_learned"].values:
            some = np.isfinite(updates)
            middle = np.median(np.nan_to_num(updates, nan=np.inf))
            words = f"{middle:.0f}" if np.isfinite(middle) else "-"
            cells.append(words if some.all() or not some.any() else f"{words} ({some.sum()} of 5)")
        score = one["digits_score"].values
        best = score[score.mean(axis=1).argmax()] if np.isfinite(score).all() else None
        cells.append("" if best is None else f"{best.mean():.3f} ({best.min():.3f} to {best.max():.3f})")
        known = training_findings.with_scatter(float(one["table_log10_gradient"]), float(one["table_scatter"]))
        yield f"| {name} | {known} | {' | '.join(cells)} |"


def shares_of_the_page(data):
    """What its sentences say, from the data."""
    for name in ("edge", "double"):  # but single precision with the smallest eps
        some = data[f"{name}_eps"] >= (1e-8 if name == "edge" else 0.0)
        below = (data[f"{name}_length"] < data[f"{name}_predicted"]).expand_dims({f"{name}_seed": data.sizes[f"{name}_seed"]})
        right = (np.isfinite(data[f"{name}_learned"]) == below).where(some, drop=True)
        yield int(right.sum()), right.size
    product = data["step_sensitivity"] * data["step_rate"]
    for low, high in ((0.001, 0.06), (0.06, 0.1), (0.1, 0.4), (0.4, 9.0)):
        learned = np.isfinite(data["step_learned"]).where((product > low) & (product <= high))
        yield int(learned.sum()), int(learned.count())
    learned, names = np.isfinite(data["table_learned"].values), data["table_start"].values
    slow = np.array([("chrono" in name) or ("design" in name) for name in names])
    yield int(learned[slow].sum()), learned[slow].size
    assert not learned[data["table_log10_gradient"].values < -13.0].any()


def test_the_committed_findings_are_those_of_the_committed_data():
    """The text, and the tables of the page on training; the plan is that of the code, and every run is there."""
    place = Path(training.__file__).parent / "data"
    data = gt.load(place / "training.nc")
    assert training.findings(data) == (place / "training.txt").read_text(encoding="utf-8")
    assert json.loads(data.attrs["plan"]) == json.loads(json.dumps(training.FULL))
    runs = {name: int(np.isfinite(data[f"{name}_score"]).sum()) for name in training.FULL}
    assert runs == {"map": 108, "edge": 240, "double": 40, "step": 120, "table": 140, "digits": 54}
    page = (place.parents[1] / "docs" / "guides" / "training.md").read_text(encoding="utf-8")
    assert [row for row in rows_of_the_page(data) if row not in page] == []
    assert f"{sum(runs.values())} plain" in page
    (edge, of_edge), (double, of_double), *shares = shares_of_the_page(data)
    flat = " ".join(page.split())
    assert all(f"{some} of {size}" in flat for some, size in ((edge + double, of_edge + of_double), *shares))
    slower = data["map_log10_gradient"].values < 0.0
    speed = -training_findings.ranked(data["map_learned"].values)[slower]
    assert f"Spearman {training_findings.rank_correlation(data['map_log10_gradient'].values[slower], speed):.2f} over" in flat
