"""A statement and its proof: what is claimed, what the cell gives, and the check that both are the same.

A derivation never trusts itself. It builds two sides separately: ``derived``, computed from a ``Cell`` object by
differentiation and elimination, and ``claimed``, the closed form as the papers and the theory sheet print it. The
proof is that their difference is identically zero as an algebraic expression; no numbers are put in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp
from sympy.core.function import AppliedUndef

from gating_theory.results.status import Status

from .operators import normal_form
from .site import canonical

__all__ = ["Claim", "Equal", "NonNegative", "Positive", "Step", "Derivation", "Statement", "Result", "STATEMENTS", "statement"]


def difference(derived, claimed):
    """The non-zero part of derived - claimed, or None where the two are identical.

    Functions such as sigma(y_z) are treated as independent unknowns, so "identical" here implies identical as
    functions; the converse can fail, and then a proof is missed, never invented.
    """
    if isinstance(derived, sp.MatrixBase) or isinstance(claimed, sp.MatrixBase):
        derived, claimed = sp.Matrix(derived), sp.Matrix(claimed)
        if derived.shape != claimed.shape:
            return f"shapes {derived.shape} and {claimed.shape}"
        for i in range(derived.rows):
            for j in range(derived.cols):
                rest = difference(derived[i, j], claimed[i, j])
                if rest is not None:
                    return f"entry {(i, j)}: {rest}"
        return None
    rest = canonical(sp.sympify(derived) - sp.sympify(claimed))
    if rest.is_commutative is False:
        rest = normal_form(rest)
    else:
        # an expansion should see polynomials in short symbols, not functions with arguments of their own
        table = {}
        rest = _replace_outermost(rest, table)
        rest = sp.expand(sp.fraction(sp.together(rest))[0])
        rest = rest.xreplace({symbol: function for function, symbol in table.items()})
    return None if rest == 0 else str(rest)


def _replace_outermost(expression, table):
    if isinstance(expression, (sp.Function, AppliedUndef)):
        return table.setdefault(expression, sp.Dummy(f"f{len(table)}"))
    if not expression.args:
        return expression
    return expression.func(*(_replace_outermost(a, table) for a in expression.args))


class Claim:
    """One thing to be proved. ``failure()`` is None where it holds and says what is left where it does not."""

    def failure(self):
        raise NotImplementedError


@dataclass(frozen=True)
class Equal(Claim):
    """Two expressions or matrices are identically equal: ``derived`` comes from the cell, ``claimed`` is the closed form."""

    name: str
    derived: object
    claimed: object

    def failure(self):
        rest = difference(self.derived, self.claimed)
        return None if rest is None else _shorten(f"derived - claimed = {rest}")


@dataclass(frozen=True)
class NonNegative(Claim):
    """An expression is never negative, by the signs of its symbols alone."""

    name: str
    expression: object

    def failure(self):
        if sp.sympify(self.expression).is_nonnegative:
            return None
        return _shorten(f"{self.expression} is not seen to be non-negative")


@dataclass(frozen=True)
class Positive(Claim):
    """An expression is positive, by the signs of its symbols alone."""

    name: str
    expression: object

    def failure(self):
        if sp.sympify(self.expression).is_positive:
            return None
        return _shorten(f"{self.expression} is not seen to be positive")


def _shorten(text, limit=300):
    return text if len(text) <= limit else text[: limit - 4] + " ..."


@dataclass(frozen=True)
class Step:
    """A line of the argument: prose, and a displayed equation or none."""

    text: str
    latex: str | None = None


@dataclass(frozen=True)
class Derivation:
    """A statement worked out for one cell: its equation, the steps, the claims that make the proof, how they were checked."""

    latex: str
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    how: str

    def failures(self):
        """{name of the claim: what is left} of the claims that do not hold."""
        found = {}
        for claim in self.claims:
            failure = claim.failure()
            if failure is not None:
                found[claim.name] = failure
        return found


@dataclass(frozen=True)
class Result:
    """The outcome of one proof: the derivation, the claims that failed, the seconds it took."""

    statement: Statement
    cell: object
    derivation: Derivation | None
    failures: dict = field(default_factory=dict)
    seconds: float = 0.0

    def __repr__(self):
        return f"Result({self.name}: {self.status})"

    def _repr_latex_(self):
        return None if self.derivation is None else f"$$ {self.derivation.latex} $$"

    @property
    def name(self):
        """Name of the statement, such as ``gru.jacobian``."""
        return self.statement.name

    @property
    def proved(self):
        """Whether there are claims and every one of them holds."""
        return self.derivation is not None and len(self.derivation.claims) > 0 and not self.failures

    @property
    def heading(self):
        """The first words of the status: whether it is proved."""
        return "Proved" if self.proved else f"NOT PROVED ({self.name})"

    @property
    def detail(self):
        """The rest of the status: what was proved and how, or what failed."""
        if not self.proved:
            return "; ".join(f"{name}: {what}" for name, what in self.failures.items()) or "there is no claim"
        claims = self.derivation.claims
        identities = sum(isinstance(claim, Equal) for claim in claims)
        signs = len(claims) - identities
        count = f"{identities} {'identity' if identities == 1 else 'identities'}"
        if signs:
            count += f" and {signs} {'sign' if signs == 1 else 'signs'}"
        return f"{count}, {self.derivation.how}."

    @property
    def status(self):
        """Status with the code "proved" or "failed"; in one line what was proved, or what failed."""
        return Status("proved" if self.proved else "failed", f"{self.heading}: {self.detail}", self.proved)


@dataclass(frozen=True)
class Statement:
    """A named statement about a cell. ``build(cell)`` works it out; it must take everything it derives from that cell."""

    name: str
    title: str
    labels: tuple[str, ...]
    cell: object
    build: Callable

    def derive(self, cell=None):
        """The Derivation for ``cell`` (default: the built-in cell that the statement is about)."""
        return self.build(self.cell if cell is None else cell)

    def prove(self, cell=None):
        """Work the statement out and check every claim; return a Result, whatever happens on the way."""
        cell = self.cell if cell is None else cell
        start = time.perf_counter()
        derivation = None
        try:
            derivation = self.derive(cell)
            failures = derivation.failures()
        except Exception as error:  # a cell of another form can break a derivation halfway: that is a failed proof too
            failures = {"derivation": f"{type(error).__name__}: {error}"}
        return Result(self, cell, derivation, failures, time.perf_counter() - start)


STATEMENTS: dict[str, Statement] = {}


def statement(name, title, labels, cell):
    """Decorator that turns ``build(cell) -> Derivation`` into a Statement and enters it into STATEMENTS."""

    def register(build):
        if name in STATEMENTS:
            raise ValueError(f"statement {name!r} is defined twice")
        STATEMENTS[name] = Statement(name, title, tuple(labels), cell, build)
        return STATEMENTS[name]

    return register
