"""The executable derivations: every proof passes, every tampered claim and every wrong cell fails."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import sympy as sp
from gating_theory.derivations import derive_all, document, pages
from gating_theory.derivations.__main__ import main
from gating_theory.derivations.gradients import two_point
from gating_theory.derivations.network import determinant_claims
from gating_theory.derivations.operators import Site, gain_matrix, normal_form
from gating_theory.derivations.planar import Blocks, mean_square
from gating_theory.derivations.site import Mean, average, canonical, lam, lam_bar, modulus_free
from gating_theory.derivations.site_determinant import SiteDeterminant
from gating_theory.derivations.statement import STATEMENTS, Derivation, Equal, NonNegative, Positive, Step, difference

from gating_theory import derivations
from gating_theory.cell.builtin import GRU, JANET, KCS, LSTM, MGU, CoupledLSTM, GRUResetAfter, Vanilla
from gating_theory.cell.cell import Cell
from gating_theory.cell.symbolic import sigma

ROOT = Path(__file__).resolve().parents[2]
NAMES = derivations.names()

h, c = sp.symbols("h c", real=True)
y = {name: sp.Symbol(f"y_{name}", real=True) for name in "zrhfigo"}


@pytest.fixture(scope="module")
def results():
    """All proofs, worked out once: they take most of the time of this file."""
    return {result.name: result for result in derive_all()}


# --- the proofs


@pytest.mark.parametrize("name", NAMES)
def test_is_proved(results, name):
    """Every published closed form follows from its cell, symbolically (all proofs are worked out before the first)."""
    result = results[name]
    assert result.proved, result.status
    assert result.failures == {}
    assert result.status.ok and result.status.code == "proved"
    assert result.heading == "Proved" and str(result.status) == f"Proved: {result.detail}"


@pytest.mark.parametrize("name", NAMES)
def test_every_identity_can_fail(results, name):
    """Each claim of each statement, spoilt in one entry, is refuted: no identity holds for empty reasons."""
    for claim in results[name].derivation.claims:
        if isinstance(claim, Equal):
            claimed = claim.claimed
            if isinstance(claimed, sp.MatrixBase):
                spoilt = claimed.as_mutable()
                spoilt[0, 0] += 1
            else:
                spoilt = claimed + 1
            assert dataclasses.replace(claim, claimed=spoilt).failure() is not None, claim.name
        else:
            assert dataclasses.replace(claim, expression=-1 - claim.expression).failure() is not None, claim.name


def _spoilt(results, name, claim_name, change):
    """The failures of a derivation in which the closed form of one claim is replaced by ``change`` of it."""
    derivation = results[name].derivation
    assert claim_name in [claim.name for claim in derivation.claims]
    claims = tuple(
        dataclasses.replace(claim, claimed=change(claim.claimed)) if claim.name == claim_name else claim
        for claim in derivation.claims
    )
    return dataclasses.replace(derivation, claims=claims).failures()


def test_flipped_sign_in_the_gru_jacobian_fails(results):
    flip = {gain_matrix("z"): -gain_matrix("z")}
    failures = _spoilt(results, "gru.jacobian", "J by elimination, any N", lambda J: J.xreplace(flip))
    assert list(failures) == ["J by elimination, any N"]
    assert "U_z" in failures["J by elimination, any N"]


def test_gru_jacobian_without_the_gate_derivative_fails(results):
    """The published slip: h * dz/dh is dropped, only -p * dz/dh is kept."""

    def dropped(J):
        return J.applyfunc(lambda e: e.replace(Site, lambda x: Site(x.subs(h, 0)) if x.has(y["z"]) else Site(x)))

    assert _spoilt(results, "gru.jacobian", "J by elimination, any N", dropped)


def test_lstm_jacobian_without_the_memory_in_the_h_row_fails(results):
    """The published slip: the LSTM reduced to its h block loses dh'/dc."""

    def reduced(J):
        J = J.as_mutable()
        J[0, 1] = 0
        return J

    assert _spoilt(results, "lstm.jacobian", "J by elimination, any N", reduced)


def test_other_edge_condition_fails(results):
    wrong = _spoilt(results, "gru.edge", "1 - det(1 - T)", lambda e: e.subs(sp.Symbol("a_r", positive=True), 0))
    assert list(wrong) == ["1 - det(1 - T)"]


def test_other_ellipsoid_fails(results):
    wrong = _spoilt(results, "lstm.onset", "beta at alpha = 1, zero biases", lambda beta: beta + 8)
    assert wrong == {"beta at alpha = 1, zero biases": "derived - claimed = -8"}


# --- wrong cells: the claims stay, the cell changes

z, r, f, i, o = (sigma(y[name]) for name in "zrfio")
p, g = sp.tanh(y["h"]), sp.tanh(y["g"])
SWAPPED = Cell(  # the other convention: z -> 1 takes the candidate
    name="GRU",
    state=[h],
    fields=[y["z"], y["r"], y["h"]],
    messages=[h, h, r * h],
    update=[(1 - z) * h + z * p],
    fixed_point=[p],
)
UNRESET = Cell(
    name="GRU", state=[h], fields=[y["z"], y["r"], y["h"]], messages=[h, h, h], update=[z * h + (1 - z) * p], fixed_point=[p]
)
TWICE = Cell(  # the reset gate acts twice
    name="GRU", state=[h], fields=[y["z"], y["r"], y["h"]], messages=[h, h, r**2 * h], update=[z * h + (1 - z) * p], fixed_point=[p]
)
SQUARED = Cell(  # a leak that is not 1 - z, so that nothing cancels at lambda = 1
    name="GRU",
    state=[h],
    fields=[y["z"], y["r"], y["h"]],
    messages=[h, h, r * h],
    update=[z**2 * h + (1 - z) * p],
    fixed_point=[p / (1 + z)],
)
OLD_MEMORY = Cell(  # h' sees the memory before the update
    name="LSTM",
    state=[h, c],
    fields=[y["f"], y["i"], y["g"], y["o"]],
    messages=[h] * 4,
    update={h: o * sp.tanh(c), c: f * c + i * g},
    fixed_point={h: o * sp.tanh(c), c: i * g / (1 - f)},
)
NO_TANH = Cell(
    name="LSTM",
    state=[h, c],
    fields=[y["f"], y["i"], y["g"], y["o"]],
    messages=[h] * 4,
    update={h: o * (f * c + i * g), c: f * c + i * g},
    fixed_point={h: o * c, c: i * g / (1 - f)},
)


@pytest.mark.parametrize(
    "name, cell",
    [
        ("gru.jacobian", SWAPPED),
        ("gru.jacobian", GRUResetAfter),
        ("gru.transfer_matrix", SWAPPED),
        ("gru.transfer_matrix", UNRESET),
        ("gru.edge", SWAPPED),
        ("gru.edge", TWICE),
        ("gru.edge", GRUResetAfter),
        ("gru.zero_state", SWAPPED),
        ("gru.zero_state", TWICE),
        ("gru.onset", TWICE),
        ("gru.onset", GRUResetAfter),
        ("gru.marginal_stability", SQUARED),
        ("gru.binary_gate", SWAPPED),
        ("lstm.jacobian", OLD_MEMORY),
        ("lstm.jacobian", NO_TANH),
        ("lstm.transfer_matrix", OLD_MEMORY),
        ("lstm.transfer_matrix", NO_TANH),
        ("lstm.edge", NO_TANH),
        ("lstm.forget_gate_at_one", NO_TANH),
        ("lstm.zero_state", OLD_MEMORY),
        ("lstm.onset", NO_TANH),
        ("vanilla.jacobian", UNRESET),
        ("gru.euler", SWAPPED),
        ("gru.chaos_jump", TWICE),
        ("gru.lag_form", UNRESET),
        ("gru.lag_form", SQUARED),
        ("kcs.transfer_matrix", KCS.euler(0.5)),
        ("kcs.euler", KCS.euler(0.5)),
        ("kcs.edge", KCS.euler(0.5)),
        ("kcs_fast.lag_form", GRU),
        ("kcs_fast.potential", GRU),
        ("kcs_fast.chaos_jump", TWICE),
        ("gru.mean_square", TWICE),
        ("gru.mean_square", SQUARED),
        ("gru.zero_state_singular_values", SWAPPED),
        ("gru.zero_state_gradients", SWAPPED),
        ("gru.zero_state_gradients", TWICE),
        ("gru_reset_after.mean_square", GRU),
        ("lstm.mean_square", NO_TANH),
        ("lstm.zero_state_singular_values", OLD_MEMORY),
        ("lstm.zero_state_gradients", OLD_MEMORY),
        ("vanilla.low_rank", UNRESET),
        ("gru.low_rank", SWAPPED),
        ("gru.low_rank", UNRESET),
        ("gru.low_rank", SQUARED),
        ("gru.low_rank_moment", TWICE),
        ("gru.low_rank_moment", SQUARED),
        ("gru.ring", SWAPPED),
        ("gru.ring", SQUARED),
        ("lstm.low_rank", OLD_MEMORY),
        ("flow.one_dimension", UNRESET),
        ("flow.hopf", SWAPPED),
        ("flow.neimark_sacker", SWAPPED),
        ("flow.normal_form", TWICE),
    ],
)
def test_wrong_cell_fails(name, cell):
    result = STATEMENTS[name].prove(cell)
    assert not result.proved
    assert result.failures
    assert not result.status.ok and result.status.code == "failed"
    assert result.heading == f"NOT PROVED ({name})" and str(result.status) == f"{result.heading}: {result.detail}"


@pytest.mark.parametrize("name", ["gru.transfer_matrix", "gru.onset", "lstm.edge"])
def test_a_cell_of_another_form_is_a_failed_proof_and_no_exception(name):
    result = STATEMENTS[name].prove(Vanilla)
    assert not result.proved
    assert list(result.failures) == ["derivation"]
    assert result.derivation is None


def test_the_update_gate_of_either_convention_cancels_at_one():
    # what marginal stability needs is a leak and a drive that add up to 1, not one of the two conventions
    assert STATEMENTS["gru.marginal_stability"].prove(SWAPPED).proved


@pytest.mark.parametrize("cell", [MGU, JANET], ids=lambda cell: cell.name)
def test_mean_squares_and_the_determinant_behind_singular_values_hold_for_other_cells(cell):
    """Growth of gradients and moments by pairings, by the two-point function, and by the determinant, for cells not among those."""
    blocks = Blocks(cell)
    for m, n in ((1, 1), (2, 2)):
        assert difference(blocks.overlap(m, n), two_point(blocks, m, n)) is None
    assert [difference(blocks.moment(j), m) for j, m in enumerate(SiteDeterminant(cell).moments(2), start=1)] == [None, None]


@pytest.mark.parametrize("cell", [MGU, GRUResetAfter, CoupledLSTM, JANET], ids=lambda cell: cell.name)
def test_the_determinant_formula_holds_for_other_cells(cell):
    assert {claim.name: claim.failure() for claim in determinant_claims(cell) if claim.failure() is not None} == {}


# --- the document


def test_document_has_the_key_equations(results):
    text = document(list(results.values()))
    for heading in ("# Derivations", "## Vanilla", "## GRU", "## LSTM"):
        assert f"\n{heading}\n" in f"\n{text}"
    for result in results.values():
        assert f"### {result.statement.title}\n\n`{result.name}` [{', '.join(result.statement.labels)}]" in text
        assert result.derivation.latex in text
    for equation in (
        r"\det(\lambda - J) = \prod_{\text{sites}} \det(\lambda - F_s)",  # determinant
        r"\left[z' \left(h - p\right)\right] U_{z}",  # the gate's own derivative in the GRU Jacobian
        r"\mathbb{E}\left[\frac{p'^{2} \left(1 - z\right)^{2}}{\left|{\lambda - z}\right|^{2}}\right]",  # GRU edge
        r"a_{r}^{2} \left(1 - s\right) \left(2 - 3 s\right)",  # GRU tricritical line
        r"3 a_{f}^{2} + a_{i}^{2} + a_{o}^{2} = 64",  # LSTM ellipsoid
        r"\rho \sqrt{P(z = 0)}",  # marginal stability
        r"s_{\max/\min} = w \sqrt{\frac{(\alpha \pm 3)^3}{8 (\alpha \pm 1)}}",  # edges of singular values
        r"e^{-2\kappa} I_0(2 \kappa \rho)",  # gradients through slow gates
        r"1 - \lambda = (1 - z_0)(1 - r_0\, \omega)",  # what the update gate does to learned modes
        r"1 + e^{b_z + a_z^2 q / 2}",  # protection of a ring
    ):
        assert equation in text
    assert text.count("**Proved:**") == len(results)
    assert "NOT PROVED" not in text


def test_document_is_balanced_latex(results):
    text = document(list(results.values()))
    assert text.count("$$") % 2 == 0
    for block in text.split("$$")[1::2]:
        assert block.startswith("\n") and block.endswith("\n")
        assert block.count("{") == block.count("}")
        assert block.count(r"\left") == block.count(r"\right")
        assert block.count(r"\begin") == block.count(r"\end")
    for prose in text.split("$$")[0::2]:
        assert prose.count("$") % 2 == 0


def test_sections_start_with_the_definition_of_the_cell(results):
    text = document([results["gru.edge"], results["gru.jacobian"], results["lstm.edge"]])
    assert text.count("\n## GRU\n") == 1
    assert r"h' &= h \sigma\left(y_{z}\right)" in text
    assert "\n## Vanilla\n" not in text


def test_failed_proof_is_shown_in_the_document():
    text = document([STATEMENTS["gru.transfer_matrix"].prove(SWAPPED)])
    assert "**NOT PROVED (gru.transfer_matrix):** W: derived - claimed = entry" in text


def test_committed_pages_are_what_the_cells_give(results):
    """docs/theory/proofs is what ``gating-theory derive --pages docs/theory/proofs`` writes."""
    folder = ROOT / "docs" / "theory" / "proofs"
    made = pages(list(results.values()))
    assert {path.name for path in folder.iterdir()} == set(made)
    for name, text in made.items():
        assert (folder / name).read_text(encoding="utf-8") == text, f"{name}: run gating-theory derive --pages docs/theory/proofs"


def test_pages_have_every_proof_once(results):
    made = pages(list(results.values()))
    for result in results.values():
        page, target = made[f"{result.name.partition('.')[0]}.md"], f"proof-{result.name.replace('.', '-').replace('_', '-')}"
        assert page.count(f"\n({target})=\n## {result.statement.title}\n\n`{result.name}`: ") == 1
        assert made["index.md"].count(f"<{target}>`") == 1
    assert sum(page.count("**Proved:**") for page in made.values()) == len(results)


# --- selection and exit codes


def test_names_select_statements_and_cells():
    assert [result.name for result in derive_all("vanilla.edge")] == ["vanilla.edge"]
    names = [result.name for result in derive_all(["vanilla", "gru.transfer_matrix"])]
    own = ["vanilla.jacobian", "vanilla.edge", "vanilla.onset", "vanilla.complexity", "vanilla.singular_values"]
    own += ["vanilla.low_rank"]
    assert sorted(names) == sorted([*own, "gru.transfer_matrix"]) and names[-1] == "gru.transfer_matrix"


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'gru.edges'; allowed are .*'gru.edge'"):
        derive_all(["gru.edges"])


def test_each_cell_has_its_statements():
    for prefix in ("gru", "lstm"):
        for topic in ("jacobian", "determinant", "transfer_matrix", "edge", "zero_state", "onset"):
            assert f"{prefix}.{topic}" in NAMES
    assert STATEMENTS["gru.edge"].cell is GRU and STATEMENTS["lstm.edge"].cell is LSTM


def test_main_prints_and_returns_zero(capsys):
    assert main(["vanilla.edge"]) == 0
    out, err = capsys.readouterr()
    assert "`vanilla.edge` [T3]" in out and "**Proved:**" in out
    assert err == ""


def test_main_names_the_failing_statement_and_returns_one(capsys, monkeypatch):
    true = STATEMENTS["gru.transfer_matrix"]
    monkeypatch.setitem(STATEMENTS, "gru.transfer_matrix", dataclasses.replace(true, cell=SWAPPED))
    assert main(["vanilla.edge", "gru.transfer_matrix"]) == 1
    out, err = capsys.readouterr()
    assert "proof failed: gru.transfer_matrix (Transfer matrix)" in err
    assert "vanilla" not in err
    assert "**Proved:**" in out and "NOT PROVED (gru.transfer_matrix)" in out


def test_main_lists_names(capsys):
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.split() == list(NAMES)


def test_main_refuses_unknown_names(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["nonsense"])
    assert stop.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_python_dash_m():
    run = subprocess.run(
        [sys.executable, "-m", "gating_theory.derivations", "vanilla.edge"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("# Derivations\n")


def test_a_statement_without_claims_is_not_proved():
    empty = Derivation(latex="", steps=(Step("nothing"),), claims=(), how="")
    result = dataclasses.replace(STATEMENTS["vanilla.edge"], build=lambda cell: empty).prove()
    assert not result.proved and "no claim" in result.status.text


# --- the tools that the proofs rest on

a, b, x = sp.symbols("a b x", real=True)


def test_difference_sees_rational_identities_only_where_they_hold():
    assert difference(1 / (a - b) + 1 / (b - a), 0) is None
    assert difference(sigma(x) * a / (a * b), sigma(x) / b) is None
    assert difference(sigma(x), sigma(2 * x)) is not None
    assert difference(sp.Matrix([a, b]), sp.Matrix([a, b + x])).startswith("entry (1, 0)")
    assert difference(sp.zeros(1, 2), sp.zeros(2, 1)) == "shapes (1, 2) and (2, 1)"


def test_difference_does_not_commute_matrices():
    U, V = gain_matrix("z"), gain_matrix("h")
    assert difference(U * V, V * U) is not None
    assert difference((U + V) ** 2, U**2 + U * V + V * U + V**2) is None


def test_diagonal_matrices_multiply_site_by_site():
    U = gain_matrix("z")
    assert normal_form(Site(a) * Site(b) * U - Site(a * b) * U) == 0
    assert normal_form(Site(a + b) * U - Site(a) * U - Site(b) * U) == 0
    assert normal_form(Site(a) ** 2 - Site(a**2)) == 0
    assert normal_form(Site(a) * U * Site(b) - Site(a * b) * U) != 0
    assert Site(sp.Integer(1)) == 1


def test_average_is_linear_and_splits_independent_factors():
    independent = {a: frozenset("a"), b: frozenset("b")}
    assert average((a + b) ** 2, independent) == Mean(a**2) + 2 * Mean(a) * Mean(b) + Mean(b**2)
    assert average(x**2 + 3, independent) == x**2 + 3
    joint = {a: frozenset("s"), b: frozenset("s")}
    assert average(a * b * x, joint) == x * Mean(a * b)
    # 1/(x - a) and 1/(a - x) differ by a sign that must come out of the average
    assert average(1 / (x - a) + 1 / (a - x), independent) == 0
    assert average(b / (x - a), independent) + average(b / (a - x), independent) == 0


def test_mean_squares_over_matrices_want_each_variable_once():
    assert mean_square(sp.Matrix([a + 2 * a * b, x]), {a: 3, b: 5}) == 3 + 4 * 15 + x**2
    with pytest.raises(ValueError, match="first degree"):
        mean_square(sp.Matrix([a**2]), {a: 1})


def test_modulus_is_the_product_with_the_conjugate():
    # sympy may write |lambda - a| as |a - lambda|, so compare up to the two signs
    assert difference(modulus_free(sp.Abs(1 / (lam - a)) ** 2), 1 / ((lam - a) * (lam_bar - a))) is None
    assert modulus_free(sp.Abs(lam) ** 4) == lam**2 * lam_bar**2


def test_arguments_are_brought_to_one_form():
    gate = sigma(a)
    assert canonical(sp.tanh(gate * b / (1 - gate) * gate + b * gate)) == canonical(sp.tanh(gate * b / (1 - gate)))


def test_signs_are_judged_by_assumptions():
    positive = sp.Symbol("t", positive=True)
    assert Positive("", 1 + positive).failure() is None
    assert Positive("", positive - 1).failure() is not None
    assert NonNegative("", x**2).failure() is None
    assert NonNegative("", x).failure() is not None
