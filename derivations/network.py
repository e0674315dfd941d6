"""Networks of one or two units written out in full, and what is proved on them for any cell [T2].

The Jacobian is differentiated here from the composed update of the whole network, without the site derivatives
F_s, F_y, M_s, M_y: an independent way to the same matrix.
"""

from __future__ import annotations

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from . import operators
from .site import lam
from .statement import Equal, Step

__all__ = ["DETERMINANT", "DETERMINANT_STEPS", "ExplicitNetwork", "determinant_claims", "jacobian_claims", "polynomial_determinant"]

DETERMINANT = (
    r"\det(\lambda - J) = \prod_{\text{sites}} \det(\lambda - F_s) \;\cdot\; \det\left(1 - W(\lambda)\, U\right),"
    r" \qquad U = \mathrm{blockdiag}(U_1, \dots, U_K),"
)
DETERMINANT_STEPS = (
    Step(
        r"The eigenvalue problem of $J$ with the fields kept, $\lambda\, \delta s = F_s\, \delta s + F_y\, \delta y$ and "
        r"$\delta y = U (M_s\, \delta s + M_y\, \delta y)$, is a linear pencil.",
        r"\mathcal{P}(\lambda) = \begin{pmatrix} \lambda - F_s & -F_y \\ -U M_s & 1 - U M_y \end{pmatrix}",
    ),
    Step(
        r"Its determinant by the Schur complement of either block. $\det(1 - U M_y) = 1$ because $M_y$ is strictly lower "
        r"triangular in the fields, and $\det(1 - U W) = \det(1 - W U)$.",
        r"\det \mathcal{P} = \det(\lambda - F_s)\, \det(1 - U W) = \det(1 - U M_y)\, \det(\lambda - J)",
    ),
)


class _Field(sp.Function):
    """The identity function, opaque to sympy: a composed field that stays in one piece until it gets its symbol back."""

    nargs = 1

    def fdiff(self, argindex=1):
        return sp.Integer(1)


class ExplicitNetwork:
    """A network of ``n`` units of a cell with symbolic gain matrices, biases and states.

    ``sites[i]`` replaces the symbols of a site by those of site i; ``gains`` holds the gain matrices.
    """

    def __init__(self, cell, n):
        self.cell, self.n = cell, n
        own = [*cell.state, *cell.fields, *cell.parameters]
        self.sites = [{x: sp.Symbol(f"{x}_{i + 1}", real=True) for x in own} for i in range(n)]
        self.U = {
            name: sp.Matrix(n, n, lambda i, j, name=name: sp.Symbol(f"U_{name}{i + 1}{j + 1}", real=True))
            for name in cell.field_names
        }
        self.gains = {operators.gain_matrix(name): U for name, U in self.U.items()}

    def jacobian(self):
        """d s'/d s of the composed network, by differentiation; rows and columns ordered by state variable, then site.

        The fields are functions of the states while we differentiate, and are written as symbols afterwards.
        """
        cell, n = self.cell, self.n
        composed, names = [dict(table) for table in self.sites], {}
        for name, y, message in zip(cell.field_names, cell.fields, cell.messages):
            m = [message.xreplace(table) for table in composed]
            for i, table in enumerate(composed):
                field = _Field(sum(self.U[name][i, j] * m[j] for j in range(n)) + sp.Symbol(f"b_{name}{i + 1}", real=True))
                names[field] = self.sites[i][y]
                table[y] = field
        states = [table[s] for s in cell.state for table in self.sites]
        new = sp.Matrix([F.xreplace(table) for F in cell.update for table in composed])
        return new.jacobian(states).applyfunc(lambda entry: entry.xreplace(names))

    def represent(self, blocks):
        """A matrix of operator expressions as one explicit matrix."""
        rows = []
        for a in range(blocks.rows):
            entries = [operators.represent(sp.sympify(blocks[a, b]), self.sites, self.gains) for b in range(blocks.cols)]
            rows.append(sp.Matrix.hstack(*entries))
        return sp.Matrix.vstack(*rows)


def jacobian_claims(cell, claimed, table):
    """Claims that the Jacobian of the cell is ``claimed``, a d x d matrix of operator expressions in short symbols.

    For any N in the algebra of diagonal and gain matrices; for N = 1 and 2 against the differentiated network.
    """
    claimed = sp.Matrix(claimed).applyfunc(lambda entry: sp.sympify(entry).xreplace(table))
    claims = [Equal("J by elimination, any N", operators.jacobian(cell), claimed)]
    for n in (1, 2):
        network = ExplicitNetwork(cell, n)
        claims.append(Equal(f"J by differentiating the network, N = {n}", network.jacobian(), network.represent(claimed)))
    return claims


def _block_claims():
    """Both block factorisations of the linear pencil, for blocks of any size that need not commute."""
    A, B, C, D = sp.symbols("A B C D", commutative=False)
    pencil = sp.Matrix([[A, -B], [-C, D]])
    by_state = sp.Matrix([[1, 0], [-C * A**-1, 1]]) * sp.Matrix([[A, -B], [0, D - C * A**-1 * B]])
    by_fields = sp.Matrix([[1, -B * D**-1], [0, 1]]) * sp.Matrix([[A - B * D**-1 * C, 0], [-C, D]])
    return [
        Equal("pencil factorised by lambda - F_s, any N", by_state, pencil),
        Equal("pencil factorised by 1 - U M_y, any N", by_fields, pencil),
    ]


def determinant_claims(cell):
    """Claims for det(lambda - J) = prod det(lambda - F_s) det(1 - W U) [T2].

    The block factorisations for any N; then both sides as polynomials, for N = 1 and 2, with the non-constant site
    derivatives as independent symbols: more than the cell's own values need to satisfy.
    """
    ahead = [cell.M_y[k, l] for k in range(cell.n_fields) for l in range(k, cell.n_fields)]
    claims = [*_block_claims(), Equal("M_y is strictly lower triangular", sp.Matrix(ahead), sp.zeros(len(ahead), 1))]
    for n in (1, 2):
        network = ExplicitNetwork(cell, n)
        sites = [_site_blocks(cell, table) for table in network.sites]
        by_hand = _jacobian_from_blocks(network, [blocks for blocks, _ in sites])
        back = {symbol: value for _, table in sites for symbol, value in table.items()}
        claims.append(Equal(f"J = F_s + F_y (1 - U M_y)^-1 U M_s, N = {n}", network.jacobian(), by_hand.xreplace(back)))
        poles, W = zip(*(_pole_and_transfer(blocks) for blocks, _ in sites))
        left = polynomial_determinant(lam * sp.eye(by_hand.rows) - by_hand)
        right = sp.Mul(*poles) * _one_minus_WU(network, W, poles)
        claims.append(Equal(f"det(lambda - J) = prod det(lambda - F_s) det(1 - W U), N = {n}", left, right))
    return claims


def _site_blocks(cell, table):
    """F_s, F_y, M_s, M_y of one site with symbols for entries that are not constant, and the table back."""
    names = {}

    def numbered(entry):
        entry = entry.xreplace(table)
        return entry if entry.is_number else names.setdefault(entry, sp.Dummy(f"x{len(names)}"))

    blocks = [block.applyfunc(numbered) for block in (cell.F_s, cell.F_y, cell.M_s, cell.M_y)]
    return blocks, {symbol: entry for entry, symbol in names.items()}


def _jacobian_from_blocks(network, sites):
    cell, n = network.cell, network.n

    def spread(which):
        rows, cols = sites[0][which].shape
        return sp.Matrix(rows * n, cols * n, lambda a, b: sites[a % n][which][a // n, b // n] if a % n == b % n else 0)

    F_s, F_y, M_s, M_y = (spread(which) for which in range(4))
    U = sp.diag(*(network.U[name] for name in cell.field_names))
    response = term = U * M_s
    for _ in range(cell.n_fields - 1):
        term = U * M_y * term
        response = response + term
    return F_s + F_y * response


def _pole_and_transfer(blocks):
    """det(lambda - F_s) of a site, and the numerator of its transfer matrix, det(lambda - F_s) W."""
    F_s, F_y, M_s, M_y = blocks
    shifted = lam * sp.eye(F_s.rows) - F_s
    pole = sp.expand(shifted.det())
    return pole, (M_s * shifted.adjugate() * F_y + pole * M_y).applyfunc(sp.factor)


def _one_minus_WU(network, numerators, poles):
    """det(1 - W U) as a polynomial in the entries of W, which are put in afterwards.

    Expanded with the rational functions inside, the determinant of the LSTM's 8 x 8 matrix would take minutes.
    """
    cell, n = network.cell, network.n
    names = [{} for _ in range(n)]

    def named(i, entry):
        return entry if entry == 0 else names[i].setdefault(entry, sp.Dummy(f"w{i}{len(names[i])}"))

    matrix = sp.eye(n * cell.n_fields)
    for k in range(cell.n_fields):
        for l, field in enumerate(cell.field_names):
            for i in range(n):
                for j in range(n):
                    matrix[k * n + i, l * n + j] -= named(i, numerators[i][k, l]) * network.U[field][i, j]
    table = {symbol: entry / poles[i] for i in range(n) for entry, symbol in names[i].items()}
    return polynomial_determinant(matrix).xreplace(table)


def polynomial_determinant(matrix):
    """Determinant over the ring of polynomials: exact, and fast where the general routine is not."""
    matrix = DomainMatrix.from_Matrix(matrix)
    return matrix.domain.to_sympy(matrix.det())
