"""Input sequences of several lengths and what recordings along them are: against PyTorch's own runs of packed sequences."""

import sys
import warnings

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop import readers
from gating_theory.interop.sequences import sequences_of

torch = pytest.importorskip("torch")
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence  # noqa: E402

LENGTHS = [4, 7, 1, 5]
#: Rounding of a few steps of a few units, in another order of additions than PyTorch's.
ROUNDING = 1e-12


def ragged(size=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((length, size)) for length in LENGTHS]


def padded(sequences, with_what=0.0):
    """(T, B, I)."""
    x = np.full((max(map(len, sequences)), len(sequences), sequences[0].shape[1]), with_what)
    for b, one in enumerate(sequences):
        x[: len(one), b] = one
    return x


def every_way(batch_first):
    """One set of sequences as people have it: (inputs, lengths)."""
    listed = ragged()
    x = padded(listed, with_what=np.nan)
    tensors = [torch.from_numpy(one) for one in listed]
    by_length = sorted(range(4), key=lambda i: -LENGTHS[i])
    batch = pad_sequence(tensors, batch_first=batch_first)
    return {
        "list": (listed, None),
        "tuple of tensors": (tuple(t.requires_grad_() for t in tensors), None),
        "nested lists": ([one.tolist() for one in listed], None),
        "padded with nan": (np.swapaxes(x, 0, 1) if batch_first else x, LENGTHS),
        "padded tensor": (batch, torch.tensor(LENGTHS)),
        "packed": (pack_sequence(tensors, enforce_sorted=False), None),
        "packed from padded": (pack_padded_sequence(batch, LENGTHS, batch_first, enforce_sorted=False), None),
        "packed, sorted": (pack_sequence([tensors[i] for i in by_length]), None),
    }


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_same_sequences_however_they_come(batch_first):
    weights = readers.weights_of(torch.nn.GRU(3, 4, batch_first=batch_first))
    for way, (inputs, lengths) in every_way(batch_first).items():
        found = weights.sequences(inputs, lengths)
        expected = ragged()
        if way == "packed, sorted":
            expected = sorted(expected, key=lambda one: -len(one))
        assert np.array_equal(found.array, padded(expected)), way
        assert found.lengths.tolist() == [len(one) for one in expected], way
        assert found.shape == (7, 4, 3)


def test_a_list_of_sequences_of_one_length_is_one_of_sequences():
    """Equal lengths are chance: a list does not become an array whose first axis is time."""
    weights = readers.weights_of(torch.nn.GRU(3, 4))
    one = np.random.default_rng(0).standard_normal((2, 5, 3))
    assert np.array_equal(weights.sequences(list(one)).array, np.swapaxes(one, 0, 1))
    assert np.array_equal(weights.sequences(one).array, one)
    single = weights.sequences([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])  # (T, I)
    assert single.shape == (2, 1, 3)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("given_state", [False, True])
def test_recordings_are_pytorchs_runs_of_packed_sequences(kind, bidirectional, batch_first, given_state):
    """All layers and directions of a stack, from zero and from given states: outputs, last states and where nothing is."""
    torch.manual_seed(len(kind))
    module = getattr(torch.nn, kind)(3, 5, 3, bidirectional=bidirectional, batch_first=batch_first).double()
    ways = 2 if bidirectional else 1
    batch = pad_sequence([torch.from_numpy(one) for one in ragged()], batch_first=batch_first)
    packed = pack_padded_sequence(batch, LENGTHS, batch_first, enforce_sorted=False)
    count = 2 if kind == "LSTM" else 1
    state = [torch.randn(3 * ways, 4, 5, dtype=torch.float64) for _ in range(count)]
    state = (tuple(state) if count == 2 else state[0]) if given_state else None
    with torch.no_grad():
        out, last = module(packed, state)
    exact = pad_packed_sequence(out)[0].numpy()
    weights = readers.weights_of(module)
    runs = {way: weights.record(batch, 2, way, LENGTHS, state) for way in weights.directions}
    mine = [runs["forward"].outputs]
    for run in [runs["reverse"]] if bidirectional else []:
        turned = np.zeros_like(run.outputs)
        for b, length in enumerate(LENGTHS):
            turned[:length, b] = run.outputs[:length, b][::-1]
        mine.append(turned)
    assert np.abs(np.concatenate(mine, axis=-1) - exact).max() < ROUNDING
    # the last states of every layer and direction, and the packed sequence in place of the padded one
    last = last if isinstance(last, tuple) else (last,)
    for layer in range(3):
        for i, way in enumerate(weights.directions):
            ends = weights.record(packed, layer, way, state=state).states[-1]
            for variable, h in enumerate(last):
                assert np.abs(ends[:, variable] - h[ways * layer + i].numpy()).max() < ROUNDING


def test_states_by_layer_and_direction():
    """States of this package's own shape are PyTorch's; what is not given is zero; one state for all sequences."""
    torch.manual_seed(0)
    weights = readers.weights_of(torch.nn.LSTM(3, 5, 2, bidirectional=True))
    rng = np.random.default_rng(0)
    h, c = rng.standard_normal((2, 4, 4, 5))
    given = weights.record(ragged(), 1, "reverse", state=(h, c))
    places = [(layer, way) for layer in range(2) for way in ("forward", "reverse")]
    own = {place: np.stack([h[i], c[i]], axis=1) for i, place in enumerate(places)}
    assert np.array_equal(weights.record(ragged(), 1, "reverse", state=own).states, given.states)
    part = weights.record(ragged(), 0, "reverse", state={(0, "reverse"): own[0, "reverse"][0]})
    assert np.array_equal(part.states[0], np.broadcast_to(own[0, "reverse"][0], (4, 2, 5)))
    assert not weights.record(ragged(), 0, "forward", state={(0, "reverse"): own[0, "reverse"]}).states[0].any()
    gru = readers.weights_of(torch.nn.GRU(3, 5))
    for state in (
        np.ones((1, 4, 5)),
        torch.ones(1, 4, 5),
        np.ones((4, 1, 5)),
        np.ones((4, 5)),
        np.ones((1, 5)),
        (np.ones((1, 4, 5)),),
    ):
        assert gru.record(ragged(), state=state).states[0].tolist() == np.ones((4, 1, 5)).tolist()
    lstm = readers.weights_of(torch.nn.LSTM(3, 5))
    both = rng.standard_normal((2, 4, 5))
    assert np.array_equal(lstm.record(ragged(), state=list(both)).states[0], np.swapaxes(both, 0, 1))
    one = rng.standard_normal((2, 1, 5))
    assert np.array_equal(lstm.record(ragged()[0], state=tuple(one)).states[0], np.swapaxes(one, 0, 1))
    assert np.array_equal(lstm.record(ragged()[0], state=one[:, 0]).states[0, 0], one[:, 0])


def test_the_end_of_a_sequence_is_the_end():
    """What stands after it is not looked at by points, sites and the ensemble that is fed alike; each sequence is as by itself."""
    torch.manual_seed(1)
    weights = readers.weights_of(torch.nn.GRU(3, 5, 2, bidirectional=True))
    for layer, way in ((1, "forward"), (1, "reverse")):
        run = weights.record(ragged(), layer, way)
        alone = [weights.record(one, layer, way) for one in ragged()]
        for b, (one, length) in enumerate(zip(alone, LENGTHS)):
            # one product of matrices for all sequences adds up in another order
            assert np.abs(run.states[: length + 1, b] - one.states[:, 0]).max() < ROUNDING
            assert (run.states[length:, b] == run.states[length, b]).all()
            assert not run.inputs[length:, b].any() and not run.outputs[length:, b].any()
        assert (run.n_steps, run.n_sequences, int(run.running.sum())) == (7, 4, sum(LENGTHS))
        net, states = run.at([3, 6], [0, 1])
        assert np.abs(net.step(states) - run.states[[4, 7], [0, 1]]).max() < ROUNDING
        assert run.sites([3, 6], [0, 1]).size == 10
        for times, sequences in (([4], [0]), ([0, 1], [1, 2])):
            with pytest.raises(ValueError, match="times must be before the ends of their sequences: sequence"):
                run.at(times, sequences)
        # moments over what was fed, against a loop over the sequences by themselves
        ensemble, correlation = run.driven_ensemble()
        layer_ = run.layer
        fed = [layer_.drive(one.inputs[:, 0]) for one in alone]
        rows = [np.concatenate([fields, parameters], axis=1) for fields, parameters in fed]
        every = np.concatenate(rows)
        away = [each - every.mean(axis=0) for each in rows]
        variance = sum((each**2).sum(axis=0) for each in away) / sum(LENGTHS)
        later = sum((each[1:] * each[:-1]).sum(axis=0) for each in away) / (sum(LENGTHS) - 4)
        assert correlation == pytest.approx(later.mean(axis=1).sum() / variance.mean(axis=1).sum(), abs=1e-10)
        place = net.cell.field_names.index("z")
        assert ensemble.input_std["z"] == pytest.approx(np.sqrt(variance[place].mean()), rel=1e-10)
        assert ensemble.bias["z"] == pytest.approx((run.network.biases[place] + every[:, place]).mean(), rel=1e-9)


def test_a_diagnosis_of_sequences_of_several_lengths():
    """It is that of the sequences by themselves: one of three steps among long ones changes neither exponent nor gradients."""
    torch.manual_seed(0)
    module = torch.nn.GRU(3, 8).double()
    rng = np.random.default_rng(0)
    long = [rng.standard_normal((30, 3)) for _ in range(4)]
    d = gt.diagnose(module, [long[0], rng.standard_normal((3, 3)), *long[1:]], n_states=5)
    plain = gt.diagnose(module, long, n_states=5)
    assert (d.n_steps, d.shortest, d.n_sequences, plain.shortest) == (30, 3, 5, 30)
    assert "along 5 input sequences of 3 to 30 steps" in str(d) and "of 30 steps" in str(plain)
    assert d.as_dict()["shortest"] == 3
    # the same four sequences are followed from other random vectors, a factor e in 30 steps or less
    assert d.lyapunov == pytest.approx(plain.lyapunov, abs=1.0 / 30)
    assert d.gradient[30] == pytest.approx(plain.gradient[30], abs=1.0)
    assert np.isfinite(d.eigenvalues).all() and d.ends is not None


def test_lengths_of_their_own_weigh():
    """Lags beyond a sequence count the longer ones alone; the exponent weighs sequences by their steps."""
    torch.manual_seed(0)
    module = torch.nn.GRU(3, 6).double()
    sequences = [np.random.default_rng(i).standard_normal((length, 3)) for i, length in enumerate((16, 12, 5))]
    d = gt.diagnose(module, sequences, n_states=3)
    assert list(d.gradient) == [1, 3, 10, 16] and all(np.isfinite(list(d.gradient.values())))
    state = np.random.default_rng(9).standard_normal((1, 3, 6))
    begun = gt.diagnose(module, sequences, n_states=3, state=state)
    assert begun.lyapunov != d.lyapunov
    x = pad_sequence([torch.from_numpy(one) for one in sequences])
    assert gt.diagnose(module, x, lengths=[16, 12, 5], n_states=3).lyapunov == d.lyapunov


def test_attractors_along_sequences_of_several_lengths():
    """Runs go on from the state at a sequence's own end."""
    torch.manual_seed(0)
    module = torch.nn.GRU(3, 6).double()
    a = gt.fixed_point_analysis(module, ragged(), n_starts=4, n_steps=50, state=np.ones((4, 1, 6)))
    run = readers.weights_of(module).record(ragged(), state=np.ones((4, 1, 6)))
    assert np.array_equal(a.trajectories, run.states) and (a.n_steps, a.n_sequences) == (7, 4)
    for given in ({"lengths": [3]}, {"state": np.zeros((1, 6))}):
        with pytest.raises(ValueError, match=f"{next(iter(given))} cannot be given without inputs"):
            gt.fixed_point_analysis(module, n_starts=4, **given)
        net = readers.weights_of(module).layer().network
        with pytest.raises(ValueError, match=f"{next(iter(given))} cannot be given with a Network"):
            gt.fixed_point_analysis(net, np.zeros((3, *net.input.shape)), n_starts=4, **given)
        with pytest.raises(ValueError, match=f"{next(iter(given))} cannot be given with"):
            gt.diagnose(net, **given)
        with pytest.raises(ValueError, match=f"{next(iter(given))} cannot be given with no inputs"):
            gt.diagnose(module, **given)


def test_tokens_are_told_their_table():
    """Integers that fit nothing become vectors by an embedding: the message names those that the source holds."""
    model = torch.nn.ModuleDict({"words": torch.nn.Embedding(50, 3), "rnn": torch.nn.GRU(3, 4)})
    weights = readers.weights_of(model.rnn)
    tokens = np.random.default_rng(0).integers(50, size=(6, 2))
    for given in (tokens, torch.from_numpy(tokens), tokens[:, 0], [tokens[:4, 0], tokens[:, 1]], [[3, 4], [5, 6, 7]]):
        with pytest.raises(ValueError, match=r"vectors of 3 numbers, got integers.*table\[tokens\], table the \(V, 3\) array"):
            weights.sequences(given)
    packed = pack_sequence([torch.from_numpy(tokens[:, 0])])
    with pytest.raises(ValueError, match=r"inputs.data must hold vectors of 3 numbers.*table\[tokens\]"):
        weights.sequences(packed)
    for source in (model, {"embed.weight": model.words.weight, **{f"rnn.{k}": v for k, v in model.rnn.state_dict().items()}}):
        with pytest.raises(ValueError, match=r"table\[tokens\], table the array '(words|embed).weight' \(50, 3\) of the source"):
            gt.read(source).weights("rnn").sequences(tokens)
    tables = {"words.weight": (50, 3)}
    with pytest.raises(ValueError, match=r"pass table\[tokens\], table the array 'words.weight' \(50, 3\) of the source"):
        sequences_of(tokens, 3, embeddings=tables)
    # tokens of as many sequences as the vectors have entries look like vectors
    with pytest.warns(UserWarning, match=r"integers of shape \(6, 3\).*if they are tokens.*words.weight"):
        sequences_of(np.zeros((6, 3), dtype=int), 3, embeddings=tables)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sequences_of(np.zeros((6, 3), dtype=int), 3).shape == (6, 1, 3)  # one-hot vectors, and nothing known of tables
        vectors = model.words.weight.detach().numpy()[tokens]
        assert weights.sequences(vectors).shape == (6, 2, 3)


@pytest.mark.parametrize(
    ("inputs", "lengths", "error", "message"),
    [
        (np.zeros((5, 2, 3)), [5], ValueError, "lengths must have an entry for each of 2 sequences, got shape"),
        (np.zeros((5, 2, 3)), [5, 6], ValueError, r"lengths\[1\] must be at most the 5 steps of sequence 1, got 6"),
        (np.zeros((5, 2, 3)), [5, 0], ValueError, "lengths must be at least 1, got 0"),
        (np.zeros((5, 2, 3)), [5.0, 2.0], TypeError, "lengths must be an integer"),
        ([np.zeros((5, 3)), np.zeros((2, 4))], None, ValueError, r"inputs\[1\] must have shape \(T, 3\).*got \(2, 4\)"),
        ([np.zeros((5, 3)), np.zeros((0, 3))], None, ValueError, r"inputs\[1\] must have shape \(T, 3\)"),
        ([np.zeros((5, 3)), np.full((2, 3), np.nan)], None, ValueError, "inputs must be finite, got nan"),
        ([np.zeros((5, 3)), None], None, TypeError, "inputs must be an array of real numbers"),
        ([], None, ValueError, "inputs must have shape"),
        (torch.zeros(5, 2, 3, dtype=torch.complex64), None, TypeError, "inputs must be an array of real numbers"),
        (pack_sequence([torch.zeros(3, 2)]), None, ValueError, "PackedSequence of vectors of 3 numbers, got data of shape"),
        (np.zeros((5, 2, 2, 3)), None, ValueError, r"\(T, B, 3\), or be a list of arrays \(T_i, 3\), got \(5, 2, 2, 3\)"),
    ],
)
def test_what_is_no_sequence(inputs, lengths, error, message):
    with pytest.raises(error, match=message) as caught:
        readers.weights_of(torch.nn.GRU(3, 4)).sequences(inputs, lengths)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("kind", "state", "error", "message"),
    [
        ("GRU", np.zeros((2, 4, 5)), ValueError, r"h_0 of shape \(1, 4, 5\), or an array of shape \(4, 1, 5\), got shape"),
        ("LSTM", np.zeros((1, 4, 5)), ValueError, r"h_0 and c_0 of shape \(1, 4, 5\), or an array of shape \(4, 2, 5\)"),
        ("LSTM", (np.zeros((1, 4, 5)),), ValueError, r"a tuple of 2 arrays, \['h', 'c'\], got 1"),
        (
            "LSTM",
            (np.zeros((1, 4, 5)), np.zeros((1, 3, 5))),
            ValueError,
            r"state\[1\] must have shape \(1, 4, 5\), got \(1, 3, 5\)",
        ),
        ("GRU", {(1, "forward"): np.zeros((1, 5))}, ValueError, "got the key"),
        ("GRU", {(0, "forward"): np.zeros(5)}, ValueError, r"state\[\(0, 'forward'\)\] must have shape"),
        ("GRU", "zero", TypeError, "state must be an array of real numbers"),
        ("GRU", np.full((1, 4, 5), np.inf), ValueError, "state must be finite"),
    ],
)
def test_what_is_no_state(kind, state, error, message):
    with pytest.raises(error, match=message):
        readers.weights_of(getattr(torch.nn, kind)(3, 5)).record(ragged(), state=state)


def test_a_state_that_runs_away_is_said():
    module = torch.nn.RNN(1, 2, nonlinearity="relu").double()
    with torch.no_grad():
        for parameter in module.parameters():  # no unit may fall silent
            parameter.fill_(0.1)
        module.weight_hh_l0.fill_(1e5)
    with pytest.raises(gt.ConvergenceError, match="the state runs away: it is not finite after") as caught:
        readers.weights_of(module).record(np.ones((80, 1)))
    assert np.isfinite(caught.value.estimate).all()


def test_packed_sequences_are_told_without_pytorch(monkeypatch):
    """Who has not imported PyTorch has none of its tensors."""
    monkeypatch.delitem(sys.modules, "torch")
    assert sequences_of([np.zeros((2, 3)), np.ones((4, 3))], 3).lengths.tolist() == [2, 4]
