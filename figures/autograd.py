"""How gradients grow in a module of PyTorch, by its own backward pass: no theory of this package takes part."""

from __future__ import annotations

import numpy as np

__all__ = ["growth"]


def growth(module, n_steps, *, inputs=None, start=None, vectors=None, rng=None):
    """Mean square of d h_T / d (h_0[, c_0]) over unit vectors at the end, a loss on h_T.

    Parameters
    ----------
    module : nn.GRU or nn.LSTM, one layer
    n_steps : int, T
    inputs : array (T, I), optional, zero by default
    start : array (d, H), optional, the state at the beginning; zero by default
    vectors : int, optional
        Random directions at the end; default: all H of them, so that nothing is left to chance.
    rng : int, numpy Generator or None, for the directions

    Returns
    -------
    (d,) array : by the state variable at the beginning; their sum is the mean square of the gradient
    """
    import torch

    n_units, dtype = module.hidden_size, module.weight_hh_l0.dtype
    n_state = 2 if isinstance(module, torch.nn.LSTM) else 1
    ends = np.eye(n_units) if vectors is None else np.random.default_rng(rng).standard_normal((vectors, n_units))
    x = np.zeros((n_steps, module.input_size)) if inputs is None else np.asarray(inputs)
    x = torch.as_tensor(x, dtype=dtype)[:, None, :].expand(-1, len(ends), -1).contiguous()
    state = np.zeros((n_state, n_units)) if start is None else np.asarray(start)
    begins = [
        torch.as_tensor(row, dtype=dtype)[None, None, :].expand(1, len(ends), -1).contiguous().requires_grad_() for row in state
    ]
    out, _ = module(x, begins[0] if n_state == 1 else tuple(begins))
    gradients = torch.autograd.grad((out[-1] * torch.as_tensor(ends, dtype=dtype)).sum(), begins)
    return np.array([float((one**2).sum()) for one in gradients]) / np.sum(ends**2)
