"""The built-in cells, each in about ten lines. z -> 1 (or f -> 1) keeps the old state, as in PyTorch (MGU: f -> 0).

Gains and biases are keyed by the names of the fields: GRU z, r, h; LSTM f, i, g, o. The names in ``builtin.py`` stand for these.
"""

from __future__ import annotations

import sympy as sp

from .cell import Cell
from .symbolic import sigma

h, c = sp.symbols("h c", real=True)
y_z, y_r, y_h, y_f, y_i, y_g, y_o = sp.symbols("y_z y_r y_h y_f y_i y_g y_o", real=True)
z, r, f, i, o = (sigma(y) for y in (y_z, y_r, y_f, y_i, y_o))
n, g = sp.tanh(y_h), sp.tanh(y_g)

Vanilla = Cell(name="Vanilla", state=[h], fields=[y_h], messages=[h], update=[n], fixed_point=[n])

GRU = Cell(
    name="GRU",
    state=[h],
    fields=[y_z, y_r, y_h],
    messages=[h, h, r * h],
    update=[z * h + (1 - z) * n],
    fixed_point=[n],
)

# the reset gate acts after the matrix product, with a bias of its own inside: cuDNN, PyTorch, Keras
b_in = sp.Symbol("b_in", real=True)
GRUResetAfter = Cell(
    name="GRUResetAfter",
    state=[h],
    fields=[y_z, y_r, y_h],
    messages=[h, h, h],
    update=[z * h + (1 - z) * sp.tanh(b_in + r * y_h)],
    fixed_point=[sp.tanh(b_in + r * y_h)],
    parameters=[b_in],
)

MGU = Cell(  # minimal gated unit: one gate resets and updates
    name="MGU",
    state=[h],
    fields=[y_f, y_h],
    messages=[h, f * h],
    update=[(1 - f) * h + f * n],
    fixed_point=[n],
)

LiGRU = Cell(  # its candidate is a ReLU: networks and Jacobians work, a bounded mean field does not exist
    name="LiGRU",
    state=[h],
    fields=[y_z, y_h],
    messages=[h, h],
    update=[z * h + (1 - z) * sp.Max(0, y_h)],
    fixed_point=[sp.Max(0, y_h)],
)

LiGRUTanh = Cell(
    name="LiGRUTanh",
    state=[h],
    fields=[y_z, y_h],
    messages=[h, h],
    update=[z * h + (1 - z) * n],
    fixed_point=[n],
)


def _lstm_state(forget, write):
    new = forget * c + write
    return {h: o * sp.tanh(new), c: new}


LSTM = Cell(
    name="LSTM",
    state=[h, c],
    fields=[y_f, y_i, y_g, y_o],
    messages=[h] * 4,
    update=_lstm_state(f, i * g),
    fixed_point={h: o * sp.tanh(c), c: i * g / (1 - f)},
)

CoupledLSTM = Cell(  # the input gate is 1 - f
    name="CoupledLSTM",
    state=[h, c],
    fields=[y_f, y_g, y_o],
    messages=[h] * 3,
    update=_lstm_state(f, (1 - f) * g),
    fixed_point={h: o * sp.tanh(c), c: g},
)

# peephole weights let the gates see the memory; a site's fixed point then has no closed form
p_f, p_i, p_o = sp.symbols("p_f p_i p_o", real=True)
_peep_f, _peep_i = sigma(y_f + p_f * c), sigma(y_i + p_i * c)
_memory = _peep_f * c + _peep_i * g
PeepholeLSTM = Cell(
    name="PeepholeLSTM",
    state=[h, c],
    fields=[y_f, y_i, y_g, y_o],
    messages=[h] * 4,
    update={h: sigma(y_o + p_o * _memory) * sp.tanh(_memory), c: _memory},
    parameters=[p_f, p_i, p_o],
)

# the forget gate alone; beta shifts the write gate, 1 - sigma(y_f - beta) (its authors take 1, here 0 unless set)
beta = sp.Symbol("beta", real=True)
_write = 1 - sigma(y_f - beta)
JANET = Cell(
    name="JANET",
    state=[h],
    fields=[y_f, y_g],
    messages=[h, h],
    update=[f * h + _write * g],
    # _write / (1 - f) without its 0/0 at saturation
    fixed_point=[(1 + (sp.exp(beta) - 1) * sigma(y_f - beta)) * g],
    parameters=[beta],
)

# networks in continuous time, dx/dt = F - x: gates are filtered fields, states of their own that follow within tau = exp(log_tau).
# The authors' gain g is gain.h and x is g times theirs; their alpha_z, alpha_r are gain.z, gain.r. As a map it may overshoot where
# a tau is below 1: take flow=True, or a step. Logarithms, so that any mean and any spread over units gives times that are positive.
x, state_z, state_r = sp.symbols("x z r", real=True)
log_tau_z, log_tau_r = sp.symbols("log_tau_z log_tau_r", real=True)
KCS = Cell(
    name="KCS",
    state=[x, state_z, state_r],
    fields=[y_z, y_r, y_h],
    messages=[sp.tanh(x), sp.tanh(x), sigma(state_r) * sp.tanh(x)],
    update=[
        x + sigma(state_z) * (y_h - x),
        state_z + (y_z - state_z) * sp.exp(-log_tau_z),
        state_r + (y_r - state_r) * sp.exp(-log_tau_r),
    ],
    fixed_point=[y_h, y_z, y_r],
    parameters=[log_tau_z, log_tau_r],
)

KCSFast = Cell(  # tau -> 0: the gates follow their fields at once
    name="KCSFast",
    state=[x],
    fields=[y_z, y_r, y_h],
    messages=[sp.tanh(x), sp.tanh(x), r * sp.tanh(x)],
    update=[x + z * (y_h - x)],
    fixed_point=[y_h],
)
