"""Populations of few sites, and networks that have just these: iid matrices, and Jacobians by a plain loop over fields."""

import numpy as np
import sympy as sp

import gating_theory as gt

_h, _c, _a, _b, _e, _m = sp.symbols("h c y_a y_b y_c y_m", real=True)
#: Two state variables, neither of them a message, and three messages, one of which needs an earlier field; a site parameter.
OWN = gt.Cell(
    name="own pair",
    state=[_h, _c],
    fields=[_a, _b, _e],
    messages=[_h * sp.tanh(_c), sp.tanh(_h + _c), gt.sigma(_a) * _c],
    update=[gt.sigma(_a) * _h + sp.tanh(_b + _m), gt.sigma(_b) * _c + _h * sp.tanh(_e)],
    parameters=[_m],
)
#: The two populations of the sheet.
A = gt.Sites(
    gt.GRU,
    [0.6, 0.4],
    [[0.5, -0.2]],
    [[1.0, -0.5], [0.3, -1.0], [0.4, -0.8]],
    gain=np.array([2.0, 3.0, 4.0]),
    matrices="iid",
)
B = gt.Sites(
    gt.LSTM,
    [0.6, 0.4],
    [[0.3, -0.1], [0.8, -0.4]],
    [[1.0, -0.5], [0.3, -1.0], [0.4, -0.8], [0.2, 0.7]],
    gain=np.array([1.0, 1.0, 3.0, 2.0]),
    matrices="iid",
)


def some_sites(cell, rng, size=4, most=2.0):
    """Sites anywhere, of a cell with any gains up to ``most``."""
    shapes = ((n, size) for n in (cell.n_state, cell.n_fields, cell.n_parameters))
    state, fields, parameters = (rng.normal(size=shape) for shape in shapes)
    weights = rng.integers(1, 4, size)
    gain = rng.uniform(0.2, most, cell.n_fields)
    return gt.Sites(cell, weights / weights.sum(), state, fields, parameters, gain, matrices="iid")


def dense_blocks(sites):
    """F_s, F_y, M_s, M_y at each site, (M, .., ..), with one row of messages for each field."""
    cell = sites.cell
    blocks = cell.compiled.blocks(sites.state, sites.fields, sites.parameters)
    shapes = {"F_s": (cell.n_state,) * 2, "F_y": (cell.n_state, cell.n_fields)}
    shapes |= {"M_s": (cell.n_fields, cell.n_state), "M_y": (cell.n_fields,) * 2}
    dense = {name: np.zeros((sites.size, *shape)) for name, shape in shapes.items()}
    for name, entries in blocks.items():
        for (i, j), value in entries.items():
            dense[name][:, i, j] = value
    return dense["F_s"], dense["F_y"], dense["M_s"], dense["M_y"]


def jacobian(sites, units, rng, law=None):
    """J (d N, d N) of a network of about so many units with these sites, each as often as its weight says (iid: no law)."""
    cell, d = sites.cell, sites.cell.n_state
    place = np.repeat(np.arange(sites.size), np.round(sites.weights * units).astype(int))
    F_s, F_y, M_s, M_y = (block[place] for block in dense_blocks(sites))
    n = place.size
    # each block a diagonal of sites: states are numbered (variable, unit)
    response = []
    drawn = rng.standard_normal((cell.n_fields, n, n)) if law is None else law.draw(n, rng, cell.n_fields)
    for k in range(cell.n_fields):
        message = np.concatenate([np.diag(M_s[:, k, j]) for j in range(d)], axis=1)
        for l in range(k):
            message = message + M_y[:, k, l, None] * response[l]
        response.append(sites.gain[k] / np.sqrt(n) * drawn[k] @ message)
    rows = []
    for i in range(d):
        row = np.concatenate([np.diag(F_s[:, i, j]) for j in range(d)], axis=1)
        for k in range(cell.n_fields):
            row = row + F_y[:, i, k, None] * response[k]
        rows.append(row)
    return np.concatenate(rows)
