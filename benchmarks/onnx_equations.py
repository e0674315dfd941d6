"""The equations of ONNX's recurrent operators, written out in PyTorch from the text of the standard: a second way to each step.

onnx's reference evaluator has neither the functions that nodes may name nor coupled gates, and no derivatives.
"""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["BLOCKS", "STATES", "stated_step"]

#: Blocks of rows of W and R, and variables of the state, by operator.
BLOCKS = {"GRU": 3, "LSTM": 4, "RNN": 1}
STATES = {"GRU": 1, "LSTM": 2, "RNN": 1}
#: The standard's functions, of a tensor, alpha and beta.
FUNCTIONS = {
    "Sigmoid": lambda x, a, b: torch.sigmoid(x),
    "Tanh": lambda x, a, b: torch.tanh(x),
    "Relu": lambda x, a, b: torch.relu(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: torch.where(x >= 0, x, a * x),
    "ThresholdedRelu": lambda x, a, b: torch.where(x >= a, x, torch.zeros_like(x)),
    "ScaledTanh": lambda x, a, b: a * torch.tanh(b * x),
    "HardSigmoid": lambda x, a, b: torch.clamp(a * x + b, 0, 1),
    "Elu": lambda x, a, b: torch.where(x >= 0, x, a * torch.expm1(torch.clamp(x, max=0))),
    "Softsign": lambda x, a, b: x / (1 + x.abs()),
    "Softplus": lambda x, a, b: torch.nn.functional.softplus(x, threshold=1e9),
}


def _functions(*given):
    """Functions of one variable by ("HardSigmoid", .2, .5) or "Tanh"."""
    given = [(one, 0.0, 0.0) if isinstance(one, str) else (*one, 0.0, 0.0)[:3] for one in given]
    return [lambda x, name=name, a=a, b=b: FUNCTIONS[name](x, a, b) for name, a, b in given]


def stated_step(operator, weights, x, state, way=0, acts=None, linear_before_reset=0, input_forget=0):
    """One step by the equations of the standard: x (I,), state (d H,) to the next state, h first; differentiable."""
    W, R = (torch.as_tensor(weights[k][way]) for k in "WR")
    n, blocks = R.shape[1], BLOCKS[operator]
    Wb, Rb = torch.as_tensor(weights["B"][way] if "B" in weights else np.zeros(2 * blocks * n)).reshape(2, blocks, n)
    h, c = state[:n], state[n:]
    xs, hs = (W @ torch.as_tensor(x)).reshape(blocks, n), (R @ h).reshape(blocks, n)
    usual = {"GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "RNN": ("Tanh",)}[operator]
    f, *others = _functions(*(acts or usual))
    if operator == "RNN":
        return f(xs[0] + hs[0] + Wb[0] + Rb[0])
    if operator == "GRU":
        (g,) = others
        z, r = (f(xs[k] + hs[k] + Wb[k] + Rb[k]) for k in (0, 1))
        if linear_before_reset:
            candidate = g(xs[2] + r * (hs[2] + Rb[2]) + Wb[2])
        else:
            candidate = g(xs[2] + R.reshape(3, n, n)[2] @ (r * h) + Rb[2] + Wb[2])
        return (1 - z) * candidate + z * h
    g, out = others
    p_i, p_o, p_f = torch.as_tensor(weights["P"][way] if "P" in weights else np.zeros(3 * n)).reshape(3, n)
    i = f(xs[0] + hs[0] + p_i * c + Wb[0] + Rb[0])
    forget = 1 - i if input_forget else f(xs[2] + hs[2] + p_f * c + Wb[2] + Rb[2])
    memory = forget * c + i * g(xs[3] + hs[3] + Wb[3] + Rb[3])
    o = f(xs[1] + hs[1] + p_o * memory + Wb[1] + Rb[1])
    return torch.cat([o * out(memory), memory])
