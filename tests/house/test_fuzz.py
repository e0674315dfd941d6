"""Everything public is called with bad values, argument after argument, all others valid.

A call may end well where the value may be meant; it must not where the value cannot be what the argument's type says. Then it ends
in a TypeError or ValueError that names the argument. No call ends in another error than those that are documented, in pages of
text, in a warning of numpy, or never.
"""

import collections
import contextlib
import datetime
import decimal
import fractions
import numbers
import random
import re
import resource
import signal
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sympy as sp
import torch
import xarray as xr
from valid_calls import CALLS, LEFT_OUT, Things, parameters, public

import gating_theory as gt
from gating_theory.interop import torch as bridge
from gating_theory.plotting.notebook import DRAWN
from gating_theory.results.encoding import is_result, kind_of

#: What calls are made of takes a while to make: one worker tries them all.
pytestmark = pytest.mark.xdist_group("fuzz")

THINGS = Things()
PUBLIC = public()
ANNOTATIONS = {name: parameters(function) for name, function in PUBLIC.items()}
#: What is expected of an error; longer messages fill a screen.
LONGEST = 500
#: Seconds after which a call is interrupted, as by Ctrl-C, and seconds within which it must then end. The valid calls take half a
#: second at most; the machine may be busy with other things.
LIMIT, GRACE = 20.0, 10.0
#: What may rightly be asked for and takes for ever; that the call can be interrupted is enough.
MUCH = {"1e308", "5e-324", "2**31"}
#: Memory that may be taken before a call counts as greedy: sizes are to be refused with the number.
ROOM = 4 * 2**30


class NotShown:
    def __repr__(self):
        raise RuntimeError("no repr")


class NoArray:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("no array")


BAD = {
    "None": lambda: None,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: -float("inf"),
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "1e308": lambda: 1e308,
    "-1e308": lambda: -1e308,
    "5e-324": lambda: 5e-324,
    "True": lambda: True,
    "np.bool": lambda: np.bool_(False),
    "'False'": lambda: "False",
    "'x'": lambda: "x",
    "''": lambda: "",
    "'1.5'": lambda: "1.5",
    "'\\0'": lambda: "a\0b",
    "b''": lambda: b"",
    "1j": lambda: 1j,
    "complex nan": lambda: complex(float("nan"), 0.0),
    "object": object,
    "no repr": NotShown,
    "no array": NoArray,
    "2**31": lambda: 2**31,
    "2**63": lambda: 2**63,
    "10**400": lambda: 10**400,
    "10**5000": lambda: 10**5000,
    "-10**400": lambda: -(10**400),
    "Fraction": lambda: fractions.Fraction(10**400, 3),
    "Decimal": lambda: decimal.Decimal("1.5"),
    "masked": lambda: np.ma.masked,
    "masked array": lambda: np.ma.array([1.0, 2.0], mask=[True, False]),
    "datetime64": lambda: np.datetime64("2020-01-01"),
    "timedelta64": lambda: np.array([1, 2], dtype="m8[s]"),
    "date": lambda: datetime.date(2020, 1, 1),
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "nested": lambda: [[[]]],
    "shape (3, 5)": lambda: np.ones((3, 5)),
    "shape (2, 2, 2, 2)": lambda: np.ones((2, 2, 2, 2)),
    "huge array": lambda: np.broadcast_to(1.0, (10**5, 10**5, 10**5)),
    "nan array": lambda: np.full((2, 2), np.nan),
    "big array": lambda: np.full(2, 1e308),
    "complex array": lambda: np.full((2, 2), 1j),
    "words": lambda: np.array(["1", "2"]),
    "list of words": lambda: ["x", "y"],
    "objects": lambda: np.array([object(), None], dtype=object),
    "records": lambda: np.zeros(2, dtype=[("a", float), ("b", int)]),
    "empty array": lambda: np.zeros(0),
    "empty matrix": lambda: np.zeros((0, 0)),
    "empty list": list,
    "dict": dict,
    "dict of words": lambda: {"x": "y"},
    "dict of numbers": lambda: {1: 2.0},
    "dict of None": lambda: {None: None},
    "set": lambda: {1.0},
    "generator": lambda: (i for i in range(3)),
    "function": lambda: lambda *args: args[0],
    "class": lambda: int,
    "exception": lambda: ValueError("x"),
    "long word": lambda: "x" * 5000,
    "long list": lambda: ["x" * 50] * 1000,
    "path": lambda: Path("/nowhere/at/all"),
    "folder": lambda: Path("."),
    "Cell": lambda: gt.MGU,
    "Ensemble": lambda: gt.Ensemble(gt.MGU),
    "Network": lambda: THINGS.net,
    "FixedPoint": lambda: THINGS.point,
    "Spectrum": lambda: THINGS.spectrum,
    "Sites": lambda: THINGS.net.sites(THINGS.state),
    "Flow": lambda: THINGS.flow,
    "Dataset": lambda: xr.Dataset(),
    "module": lambda: torch.nn.Linear(2, 2),
    "Generator": lambda: np.random.default_rng(0),
}

#: What errors of contents speak of, rather than of the argument.
CONTENTS = ("state dict", "module", "source")
#: What is meant though the annotation does not say so.
MEANT = {("Sites", "parameters", "None"), ("Sites", "tol", "nan")}

#: Annotations that stand for several.
_ALIASES = {
    "Values": "float | Mapping[str, float] | None",
    "Wanted": "True | Callable | None",
    "Rng": "int | Generator | None",
    "Source": "Module | Mapping | str | PathLike",
    "Designed": "Design",
    "Listed": "InitialisationRow",
    "Literal['annealed', 'mean_field']": "str",
}


def alternatives(annotation):
    """The types of an annotation, aliases resolved: "float | Mapping[str, float]" has two."""
    parts, depth = [""], 0
    for sign in annotation:
        depth += (sign in "[(") - (sign in "])")
        if sign == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    for part in (p.strip() for p in parts):
        yield from alternatives(_ALIASES[part]) if part in _ALIASES else [part]


def is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_)) and value is not np.ma.masked


def is_finite(value):
    try:
        return bool(np.isfinite(complex(value)))
    except OverflowError:
        return False


def may_be_array(value):
    try:
        array = np.asarray(value)
    except Exception:
        return False
    return array.dtype.kind in "fiuc" and bool(np.isfinite(array).all()) if array.size < 10**6 else array.dtype.kind in "fiuc"


def may_be(kind, value):
    """Whether ``value`` may be meant where an annotation says ``kind``; in doubt it may."""
    name = kind.partition("[")[0].rsplit(".", 1)[-1]
    if name == "None":
        return value is None
    if name == "True":
        return value is True
    if name == "int":
        return is_number(value, numbers.Integral)
    if name == "float":
        return is_number(value, numbers.Real) and is_finite(value)
    if name == "complex":
        return is_number(value, numbers.Complex) and is_finite(value)
    if name == "bool":
        return isinstance(value, (bool, np.bool_))
    if name == "str":
        return isinstance(value, str)
    if name == "PathLike":
        return hasattr(value, "__fspath__")
    if name in ("ArrayLike", "ndarray"):
        return may_be_array(value) and not np.ma.is_masked(value)
    if name == "Mapping":
        return isinstance(value, (Mapping, xr.Dataset))
    if name in ("Sequence", "tuple", "list", "Iterable"):
        return isinstance(value, (Sequence, np.ndarray, collections.abc.Iterable)) and not isinstance(value, (str, bytes))
    if name == "Callable":
        return callable(value)
    if name in ("Any", "object", "Self"):
        return True
    return name in {cls.__name__ for cls in type(value).__mro__}


class Hangs(BaseException):
    """Not an Exception: nobody is to catch it."""


def _too_long(*_):
    raise Hangs


@contextlib.contextmanager
def limited(seconds):
    """Time and memory that a call may take."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, before[1]))
    # again and again: an exception in a callback of the interpreter's own is lost
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


#: Errors of the package that speak of the physics, or of files: they need not name an argument.
_OURS = (gt.CapabilityError, gt.ConvergenceError, gt.NoCriticalValue, OSError)


def fault(name, argument, label, certain):
    """What is wrong with how the call with this bad value ends, or None; ``certain``ly wrong values must be refused."""
    function, given = CALLS[name](THINGS)
    given[argument] = BAD[label]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", ".*encountered in")  # numpy's
        limit, began = 1.0 if label in MUCH else LIMIT, time.monotonic()
        try:
            with limited(limit):
                function(**given)
        except Hangs:
            late = time.monotonic() - began - limit
            if late > GRACE:
                return f"could not be interrupted for {late:.0f} s"
            return None if label in MUCH else f"takes longer than {limit:g} s"
        except Exception as error:
            # who gives a function answers for it
            own = callable(given[argument]) and any("Callable" in kind for kind in alternatives(ANNOTATIONS[name][argument]))
            return None if own and not certain else _wrong_with(error, name, argument, given[argument], certain)
        finally:
            plt.close("all")
    return "is accepted" if certain else None


def _wrong_with(error, name, argument, value, certain):
    """What is wrong with an error, or None."""
    try:
        words = f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}, which cannot be read"
    if len(words) > LONGEST:
        return f"{len(words)} characters: {words[:100]}"
    if isinstance(error, _OURS) or type(error) is MemoryError:
        return None
    if not isinstance(error, (TypeError, ValueError)):
        return words
    # a value that may be meant need not go with the others: then one of them may be named, or the value is quoted
    named = [argument] if certain else [*ANNOTATIONS[name], *CONTENTS]
    quoted = isinstance(value, str) and not certain and value in str(error)
    if quoted or any(re.search(rf"\b{word}\b", str(error)) for word in named):
        return None
    return f"does not name the argument: {words}"


def cases(name):
    """(argument, label, whether the value is certainly wrong) of one callable."""
    for argument, annotation in ANNOTATIONS[name].items():
        kinds = list(alternatives(annotation))
        for label in BAD:
            value = BAD[label]()
            meant = (name, argument, label) in MEANT or any(may_be(kind, value) for kind in kinds)
            yield argument, label, not meant


def faults(name, chosen):
    found = []
    for argument, label, certain in chosen:
        wrong = fault(name, argument, label, certain)
        if wrong:
            found.append(f"{name}({argument}={label}) {wrong}")
    return found


def test_everything_public_has_a_valid_call(tmp_path, monkeypatch):
    """All that is public is called below, with all of its arguments (what calls share is made here, and compiled)."""
    monkeypatch.chdir(tmp_path)
    assert set(PUBLIC) == set(CALLS) | set(LEFT_OUT)
    for name in CALLS:
        assert set(ANNOTATIONS[name]) == set(CALLS[name](THINGS)[1]), name


@pytest.mark.parametrize("name", CALLS)
def test_what_cannot_be_meant_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = collections.defaultdict(list)
    for argument, label, certain in cases(name):
        if certain:
            wrong[argument].append(label)
    draw = random.Random(name)
    chosen = [(argument, label, True) for argument, labels in wrong.items() for label in draw.sample(labels, min(4, len(labels)))]
    assert not faults(name, chosen)


@pytest.mark.nightly
@pytest.mark.parametrize("name", CALLS)
def test_bad_values(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, given = CALLS[name](THINGS)
    function(**given)  # compiles what it needs, which takes its time
    assert not faults(name, cases(name))


def sites_without_nodes():
    return THINGS.point.sites_at(1e-3, max_nodes=float("nan"))


def with_an_imaginary_update():
    _, given = CALLS["Cell"](THINGS)
    return gt.Cell(**{**given, "update": [sp.I], "fixed_point": None})


def as_of_another_flow():
    other = gt.GRUFlow(U_h=[[3.0, -3.0], [3.0, 3.1]])
    return gt.flow.continue_cycle(other, "b_h[0]", (-0.1, 0.1), THINGS.cycle, max_points=3)


def normal_form_on_the_way():
    return gt.flow.normal_form(THINGS.flow, [0.5, 0.5], "hopf")


def init_too_large():
    return bridge.init_(torch.nn.GRU(2, 3), gt.orthogonal(gt.GRUResetAfter, 1e308))


FOUND = {
    "scale = nan": (lambda: gt.GRU.check_jacobian(scale=float("nan")), "scale must be finite"),
    "no points": (lambda: gt.GRU.check_jacobian(n_points=0), "n_points must be at least 1"),
    "another flow": (as_of_another_flow, "start must be of flow"),
    "no fixed point": (normal_form_on_the_way, "state must be a fixed point"),
    "'False'": (lambda: gt.simulate(THINGS.ens, 10, 10, tangent="False"), "tangent must be True or False, got 'False'"),
    "times are whole": (lambda: THINGS.recording.at([1.9], [0]), "times must be an integer"),
    "none before the first": (lambda: THINGS.recording.at([-1], [0]), "times must lie in"),
    "none after the last": (lambda: THINGS.recording.at([1], [3]), "sequences must lie in"),
    "one length": (lambda: THINGS.recording.at([1, 2], [0]), "times and sequences"),
    "a masked state": (lambda: THINGS.net.step(np.ma.masked_equal(np.ones((1, 6)), 1.0)), "state has masked entries"),
    "density(True)": (lambda: THINGS.spectrum.density(True), "lam must be a number"),
    "potential('1.5')": (lambda: THINGS.spectrum.potential("1.5"), "lam must be a number"),
    "dates": (lambda: THINGS.spectrum.density(np.datetime64("2020-01-01")), "lam must be a number"),
    "a gain of 1e308": (init_too_large, "gain must lie in"),
    "an imaginary update": (with_an_imaginary_update, "update must hold expressions that are real"),
    "nodes": (sites_without_nodes, "max_nodes must be an integer"),
    "sites of a network": (lambda: gt.Spectrum.from_sites(THINGS.net), r"such as net\.sites\(state\)"),
    "a cell by its name": (lambda: gt.Ensemble("GRU"), r"such as gating_theory\.GRU, got 'GRU'"),
    "a grid of 10^18": (lambda: gt.flow.basins(THINGS.flow, 10**9), "n = 1000000000"),
    "a transient without end": (lambda: gt.flow.find_cycle(THINGS.flow, [0.1, 0.2], transient=1e308), "transient must lie in"),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_was_accepted(case):
    call, words = FOUND[case]
    with pytest.raises((TypeError, ValueError, MemoryError), match=words):
        call()


def test_compiled_loops_can_be_interrupted():
    """A hundred seconds of compiled steps, given up after one."""
    flow = THINGS.flow
    flow.euler([0.1, 0.2], 0.1, 10)
    for call in (lambda: flow.euler([0.1, 0.2], 1e-3, 10**10), lambda: gt.flow.find_cycle(flow, [0.1, 0.2], transient=1e6)):
        began = time.monotonic()
        with pytest.raises(Hangs), limited(1.0):
            call()
        assert time.monotonic() - began < 1.0 + GRACE


@pytest.mark.parametrize("name", CALLS)
def test_valid_calls_do_not_mind_floating_point_errors(name, tmp_path, monkeypatch):
    """numpy.seterr(all="raise") is the user's own affair: here it would meet weights that are meant to vanish."""
    monkeypatch.chdir(tmp_path)
    function, given = CALLS[name](THINGS)
    with np.errstate(all="raise"):
        function(**given)
    plt.close("all")


@pytest.mark.slow
def test_shut_gates_do_not_mind_floating_point_errors():
    """Gates that are shut tight underflow nowhere that numpy could complain of."""
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 60, "r": 40, "h": 30}, bias={"z": 3})
    net = gt.Network.sample(ensemble, 20, rng=0)
    with np.errstate(all="raise"):
        spectrum = gt.Spectrum(gt.fixed_points(ensemble)[-1])
        assert np.isfinite([spectrum.radius(), *spectrum.density([0.5, 0.1 + 0.2j]), *spectrum.outliers().real]).all()
        assert np.isfinite(gt.simulate(ensemble, 100, 30, rng=0, tangent=True).growth).all()
        assert np.isfinite(gt.lyapunov_spectrum(net, n_steps=50, rng=0).exponents[0])
        assert np.isfinite(net.eigenvalues(net.random_state(rng=0))).all()
        assert gt.complexity(gt.Ensemble(gt.Vanilla, gain=50.0)).value > 0.0


#: Calls whose results no other call of these tests starts from.
MADE = (
    "lyapunov_spectrum",
    "finite_time_exponents",
    "correlation_transient",
    "Network.find_fixed_points",
    "defaults",
    "echo_state",
)
MADE += (
    "flow.bifurcation_plane",
    "flow.continue_homoclinic",
    "cite",
    "Spectrum.concentration",
    "nngp_kernel",
    "flow.Flow.from_torch",
)
#: Kinds of results that only a tour of minutes makes; their pictures are those of other kinds.
NOT_MADE = {"flow.CycleCurve", "held_fixed_points"}
#: A float that carries a sentence.
SENTENCE = 260


def objects_of_users(tmp_path):
    """What users hold: the things that calls are made of, results of some calls, and what is inside of both."""
    waiting = [
        getattr(THINGS, name) for name in vars(Things) if not name.startswith("_") and name not in ("ax", "folder", "within")
    ]
    waiting += [function(**given) for function, given in (CALLS[name](THINGS) for name in MADE)]
    found = {}
    while waiting:
        one = waiting.pop()
        if isinstance(one, (list, tuple, dict)):
            waiting += list(one.values() if isinstance(one, dict) else one)[:20]
        if type(one).__module__.startswith("gating_theory.") and id(one) not in found:
            found[id(one)] = one
            waiting += [value for name, value in getattr(one, "__dict__", {}).items() if not name.startswith("_")]
    return list(found.values())


def test_objects_at_prompts_and_in_notebooks(tmp_path, monkeypatch):
    """A repr is one short line; results show a report in notebooks, and a picture of every kind is drawn."""
    monkeypatch.chdir(tmp_path)
    public = {thing for face in (gt, gt.flow) for thing in map(face.__dict__.get, face.__all__) if isinstance(thing, type)}
    drawn = set()
    for one in objects_of_users(tmp_path):
        if type(one) not in public and not is_result(one):
            continue
        line = repr(one)
        assert len(line) < (SENTENCE if isinstance(one, gt.Critical) else 100) and "\n" not in line, line
        assert " at 0x" not in line, line
        if is_result(one):
            shown = one._repr_html_()
            assert "no picture:" not in shown and len(shown) < 300_000, shown[-300:]
            drawn |= {kind_of(one)} if "<img" in shown else set()
    assert drawn == set(DRAWN) - NOT_MADE
