"""Checks of arguments: what is taken, and messages that name the argument, its value and what is allowed."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.support.checks import (
    boolean,
    choice,
    complex_array,
    generator,
    integer,
    integers,
    interval,
    meant,
    real,
    real_array,
    reals,
    several,
    shown,
    sign,
    text,
)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2.0), np.int64(2), np.array(2.0)])
def test_real_takes_numbers(value):
    found = real("x", value, low=0.0, high=2.0)
    assert found == 2.0 and type(found) is float


@pytest.mark.parametrize(
    "value, limits, error, words",
    [
        ("2", {}, TypeError, "x must be a real number, got '2'"),
        (True, {}, TypeError, "x must be a real number, got True"),
        (np.bool_(True), {}, TypeError, "x must be a real number"),
        (1j, {}, TypeError, "x must be a real number, got 1j"),
        (None, {}, TypeError, "x must be a real number, got None"),
        ([1.0], {}, TypeError, r"x must be a real number, got \[1.0\]"),
        (np.ones(1), {}, TypeError, "x must be a real number"),
        (np.nan, {}, ValueError, "x must be finite, got nan"),
        (np.inf, {}, ValueError, "x must be finite, got inf"),
        (-1e-300, {"low": 0.0}, ValueError, r"x must lie in \[0.0, inf\), got -1e-300"),
        (0, {"low": 0.0, "open_low": True}, ValueError, r"x must lie in \(0.0, inf\), got 0"),
        (1.5, {"high": 1.0}, ValueError, r"x must lie in \(-inf, 1.0\], got 1.5"),
        (2, {"low": 0.0, "high": 1.0}, ValueError, r"x must lie in \[0.0, 1.0\], got 2"),
    ],
)
def test_real_refuses(value, limits, error, words):
    with pytest.raises(error, match=f"^{words}"):
        real("x", value, **limits)


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_integer_takes_whole_numbers(value):
    found = integer("n", value, low=3, high=3)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize(
    "value, limits, error, words",
    [
        (3.0, {}, TypeError, "n must be an integer, got 3.0"),
        (True, {}, TypeError, "n must be an integer, got True"),
        ("3", {}, TypeError, "n must be an integer, got '3'"),
        (None, {}, TypeError, "n must be an integer, got None"),
        (-1, {}, ValueError, "n must be at least 0, got -1"),
        (9, {"low": 10}, ValueError, "n must be at least 10, got 9"),
        (9, {"low": 1, "high": 8}, ValueError, r"n must lie in \[1, 8\], got 9"),
        (0, {"low": 1, "high": 8}, ValueError, r"n must lie in \[1, 8\], got 0"),
    ],
)
def test_integer_refuses(value, limits, error, words):
    with pytest.raises(error, match=f"^{words}$"):
        integer("n", value, **limits)


@pytest.mark.parametrize("value, shape", [(1, ()), ([1, 2], (2,)), (np.ones((2, 3), np.float32), (2, 3)), ([], (0,))])
def test_real_array_takes_any_shape(value, shape):
    found = real_array("a", value)
    assert found.dtype == float and found.shape == shape


@pytest.mark.parametrize(
    "value, error, words",
    [
        ("a", TypeError, "a must be an array of real numbers, got 'a'"),
        (None, TypeError, "a must be an array of real numbers, got None"),
        ([True], TypeError, "a must be an array of real numbers"),
        ([1j], TypeError, "a must be an array of real numbers"),
        ([[1.0], [1.0, 2.0]], TypeError, "a must be an array of real numbers"),
        ([1.0, np.nan], ValueError, "a must be finite, got nan"),
        ([-np.inf], ValueError, "a must be finite, got -inf"),
    ],
)
def test_real_array_refuses(value, error, words):
    with pytest.raises(error, match=f"^{words}"):
        real_array("a", value)


@pytest.mark.parametrize("value", [1, 1j, [1.0, 2j], np.full((2, 2), 1e100)])
def test_complex_array_takes_numbers(value):
    found = complex_array("lam", value)
    assert found.dtype == complex and np.array_equal(found, value)


@pytest.mark.parametrize(
    "value, error, words",
    [
        (None, TypeError, "lam must be a number or an array of complex numbers, got None"),
        ("x", TypeError, "lam must be a number or an array of complex numbers, got 'x'"),
        ([1j, np.nan], ValueError, r"lam must be finite, got \(?nan"),
        (complex(0, np.inf), ValueError, "lam must be finite, got infj"),
        ([1.0, 2e100j], ValueError, r"lam must be at most 1e100 in modulus, got 2e\+100j"),
    ],
)
def test_complex_array_refuses(value, error, words):
    with pytest.raises(error, match=f"^{words}"):
        complex_array("lam", value)


def test_generators():
    given = np.random.default_rng(3)
    assert generator(given) is given
    assert generator(3).random() == generator(np.int64(3)).random() == np.random.default_rng(3).random()
    assert generator(np.random.SeedSequence(3)).random() == np.random.default_rng(3).random()
    assert generator(None).random() != generator(None).random()


@pytest.mark.parametrize(
    "rng, error, words",
    [
        ("seed", TypeError, "rng must be an integer, got 'seed'"),
        (1.0, TypeError, "rng must be an integer, got 1.0"),
        (True, TypeError, "rng must be an integer, got True"),
        (-1, ValueError, "rng must be at least 0, got -1"),
        (np.random, TypeError, "rng must be an integer, got <module"),
    ],
)
def test_what_seeds_no_generator(rng, error, words):
    with pytest.raises(error, match=f"^{words}"):
        generator(rng)


@pytest.mark.parametrize("value", [(1, 2), [1, 2], {1: "a", 2: "b"}, iter([1, 2]), range(1, 3)])
def test_several_takes_what_can_be_gone_through(value):
    assert several("x", value, int, "numbers") == (1, 2)


@pytest.mark.parametrize("value", ["12", b"12", 1, None, np.array(1), np.ma.masked, [1, "2"]])
def test_several_refuses(value):
    with pytest.raises(TypeError, match="^x must be a sequence of numbers, got "):
        several("x", value, int, "numbers")


@pytest.mark.parametrize("value", ["12", np.array(1), np.ma.masked])
def test_several_of_any_kind_are_still_several(value):
    with pytest.raises(TypeError, match="^x must be a sequence of things, got "):
        several("x", value, object, "things")


def test_values_are_quoted_in_few_words():
    assert shown(0.1 + 0.2) == repr(0.1 + 0.2)  # all digits: 1 + 1e-16 is not refused as "1"
    for value in ("x" * 5000, list(range(1000)), {i: "x" * 50 for i in range(1000)}, 10**5000, np.ones(1000), object()):
        assert len(shown(value)) < 100


def test_small_kinds_of_arguments_are_taken():
    assert boolean("x", np.bool_(True)) is True and text("x", "a") == "a"
    assert sign("x", np.int8(-1)) == -1 and interval("x", (0, np.float32(2.0))) == (0.0, 2.0)
    assert reals("x", np.arange(2), "low", "high") == [0.0, 1.0]
    assert integers("x", []).dtype == int and integers("x", [[1, 2]], low=1).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "check, value, error, words",
    [
        (boolean, "False", TypeError, "x must be True or False, got 'False'"),
        (text, 1, TypeError, "x must be a str, got 1"),
        (text, "", ValueError, "x must not be empty"),
        (sign, 0, ValueError, "x must be 1 or -1, got 0"),
        (sign, 2, ValueError, "x must lie in"),
        (interval, (1.0, 1.0), ValueError, r"x must be increasing, \(low, high\) with low < high, got \(1.0, 1.0\)"),
        (interval, {0.0, 1.0}, TypeError, r"x must be \(low, high\), got"),
        (interval, "01", TypeError, r"x must be \(low, high\), got '01'"),
        (interval, (0.0, np.nan), ValueError, r"x\[1\] must be finite, got nan"),
        (integers, [1, -1], ValueError, "x must be at least 0, got -1"),
        (integers, [1.0], TypeError, "x must be an integer or an array of integers"),
    ],
)
def test_small_kinds_of_arguments_are_refused(check, value, error, words):
    with pytest.raises(error, match=f"^{words}"):
        check("x", value)


@pytest.mark.parametrize(
    ("word", "likely"),
    [
        ("abscisa", "abscissa"),
        ("moment_h", "moment:<message>"),
        ("gain_h", "gain.h"),
        ("GAIN.H", "gain.h"),
        ("gain.q", ""),
        ("x", ""),
        (3, ""),
    ],
)
def test_words_that_are_misspelt(word, likely):
    """The one that is most like it, and none where two are as much like it, or none is."""
    allowed = ["abscissa", "moments", "moment:<message>", "gain.h", "gain.z"]
    assert meant(word, allowed) == (f" (did you mean {likely!r}?)" if likely else "")


def test_misspelt_arguments_are_told():
    with pytest.raises(ValueError, match=r"method must be 'resample' or 'delta', got 'detla' \(did you mean 'delta'\?\)"):
        choice("method", "detla", ("resample", "delta"))
    GRU = gt.Ensemble(gt.GRU)
    with pytest.raises(ValueError, match=r"'abscisa' \(did you mean 'abscissa'"):
        gt.critical(GRU, "gain.h", "abscisa", 1)
    with pytest.raises(ValueError, match=r"'gain_h' \(did you mean 'gain.h'"):
        gt.onset(GRU, "gain_h")
    with pytest.raises(ValueError, match=r"a factor is a number before a hyperparameter, as in 2\*gain.r, got gain.h\*2"):
        gt.onset(GRU, "gain.r=gain.h*2")
    with pytest.raises(gt.CapabilityError, match='critical.*"abscissa", 1'):
        gt.onset(GRU.replace({"bias_std": 0.5}), "gain")


def test_what_cannot_be_shown_is_named_by_its_type():
    class Shy:
        def __repr__(self):
            raise RuntimeError("no")

    assert shown(Shy()).startswith("<Shy instance at ")


def test_views_that_claim_more_than_the_memory_are_refused():
    with pytest.raises(MemoryError, match=r"x has shape .*: more entries than fit into the memory"):
        real_array("x", np.broadcast_to(1.0, (10**5, 10**5, 10**5)))
    with pytest.raises(ValueError, match="x must be at most 2 in modulus"):
        real_array("x", [1.0, -3.0], largest=2.0)
