"""What can be compared, and what it is called."""

import pytest

import gating_theory as gt
from gating_theory.validation.cases import CASES, Case, cases_of, places_of

VANILLA = gt.Ensemble(gt.Vanilla, gain=2.0)


def test_names_of_cells_stand_for_their_cases():
    assert list(cases_of("GRU").values()) == [case for case in CASES if case.ensemble.cell is gt.GRU]
    # seeded by their numbers: those of one cell do not depend on the others
    assert cases_of(["GRU", "LSTM"]) == dict(enumerate(CASES)) and set(cases_of("LSTM")) < set(cases_of(["LSTM", "GRU"]))


def test_equal_names_get_numbers():
    found = cases_of([VANILLA, gt.Ensemble(gt.Vanilla, gain=3.0), Case("mine", VANILLA, "zero")]).values()
    names = [f"Vanilla {words} {number}" for number in (1, 2) for words in ("zero state", "active fixed point")]
    assert [case.name for case in found] == ["mine", *names]


def test_places():
    own = Case("mine", VANILLA, "zero", taus=(7.0,))
    places = places_of([(0.5j, 1)], [2], [])
    assert places == (((0.5j, 1.0),), (2.0,), ())
    found = cases_of([own, VANILLA, "LSTM"], places).values()
    assert {(case.discs, case.taus, case.lambdas) for case in found if case != own} == {places}
    assert own in found, "its places are its own"


@pytest.mark.parametrize(
    "sources, error, words",
    [
        (("JANET",), ValueError, "sources has the unknown name 'JANET'"),
        ((), ValueError, "sources must be one or more of"),
        (gt.GRU, TypeError, r"sources must be names of cells, Ensembles.*give Ensemble\(cell"),
        ([gt.GRU], TypeError, r"give Ensemble\(cell"),
        (3, TypeError, "sources must be names of cells, Ensembles"),
        ([Case("mine", VANILLA, "zero")] * 2, ValueError, "names of their own"),
        (gt.Ensemble(gt.LiGRU), gt.CapabilityError, "bounded"),
    ],
)
def test_other_sources(sources, error, words):
    with pytest.raises(error, match=words):
        cases_of(sources)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (("x", gt.GRU, "zero"), TypeError, "source must be an Ensemble, a fixed point or a steady state, got"),
        (("x", VANILLA), TypeError, "state must be one of .*'planted'.*, got None"),
        (("x", VANILLA, "nowhere"), ValueError, "state must be one of .*'planted'.*, got 'nowhere'"),
        (("x", gt.fixed_points(VANILLA)[0], "zero"), ValueError, "state is for Ensembles, a FixedPoint is one"),
        (("", VANILLA, "zero"), ValueError, "name must not be empty"),
    ],
)
def test_cases_that_are_none(arguments, error, words):
    with pytest.raises(error, match=words):
        Case(*arguments)
