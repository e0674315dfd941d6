"""Tasks of figures ask for what they show, and modules trained for them keep their weights on the way."""

import numpy as np
import pytest
from gating_theory.figures.sequence_tasks import make_task


def test_the_symbol_and_the_first_of_many_are_asked_for():
    rng = np.random.default_rng(0)
    x, symbol = make_task("recall 5").batch(rng, 40)
    assert x.shape == (7, 40, 9) and np.array_equal(x[0, :, :8].argmax(-1), symbol) and (x[-1, :, 8] == 1).all()
    x, symbol = make_task("noisy 5").batch(rng, 400)
    assert x.shape == (5, 400, 9) and np.array_equal(x[0, :, :8].argmax(-1), symbol)
    # one symbol at every step, all eight of them, and the mark at the first step alone
    assert (
        (x[:, :, :8].sum(-1) == 1).all() and (x[:, :, :8].sum((0, 1)) > 0).all() and (x[:, :, 8].sum(1) == [400, 0, 0, 0, 0]).all()
    )
    x, symbol = make_task("clean 4").batch(rng, 40)
    assert np.array_equal(x[0], np.eye(8)) and not x[1:].any() and len(x) == 4 and np.array_equal(symbol, np.arange(8))


def test_digits_are_split_and_permuted_for_all_seeds_alike():
    pytest.importorskip("sklearn")
    plain, permuted = make_task("digits"), make_task("permuted")
    (x, label), (y, same) = plain.test(), permuted.test()
    assert np.array_equal(label, same) and np.array_equal(np.sort(x, 0), np.sort(y, 0)) and not np.array_equal(x, y)
    seen = {image.tobytes() for image in plain.images[:1297]}
    assert len(plain.images) == 1797 and sum(image.tobytes() in seen for image in plain.images[1297:]) == 0


def test_flip_flops_hold_the_last_pulse():
    x, shown = make_task("flip-flop 30").batch(np.random.default_rng(1), 20)
    assert x.shape == shown.shape == (30, 20, 2) and set(np.unique(x)) == {-1.0, 0.0, 1.0}
    held = np.zeros((20, 2))
    for pulses, now in zip(x, shown):
        held = np.where(pulses != 0.0, pulses, held)
        assert np.array_equal(now, held)


def test_sines_are_those_that_inputs_name():
    task = make_task("sines 40")
    x, wave = task.batch(np.random.default_rng(2), 50)
    # the noise of the mean of 40 inputs, .02 / sqrt 40, lies far below half the distance of the levels, .1
    named = task.frequencies[np.abs(x.mean(0) - 2.0 * task.frequencies).argmin(1)]
    assert np.allclose(wave[:, :, 0], np.sin(np.outer(np.arange(1, 41), named)), atol=1e-6) and len(set(named)) == 5


@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_weights_are_kept_on_the_way(cell):
    torch = pytest.importorskip("torch")
    from gating_theory.figures.torch_runs import module_for, score, trained

    task = make_task("recall 3")
    module, readout = module_for(cell, 12, task, 1.5, seed=4)
    first = module.weight_hh_l0.detach().clone()
    # standard error of a standard deviation from 3 x 144 entries or more: 3.4 %
    assert float(first.std()) * np.sqrt(12) == pytest.approx(1.5, rel=0.15)
    chance = score(module, readout, task)
    kept = trained(module, readout, task, "RMSprop", 60, seed=4, kept=(0, 20, 60))
    assert list(kept) == [0, 20, 60] and torch.equal(kept[0]["weight_hh_l0"], first)
    assert torch.equal(kept[60]["weight_hh_l0"], module.weight_hh_l0) and score(module, readout, task) > chance
    again = trained(*module_for(cell, 12, task, 1.5, seed=4), task, "RMSprop", 20, seed=4, kept=(20,))
    assert all(torch.equal(again[20][name], value) for name, value in kept[20].items())
