"""PyTorch's recurrent modules themselves: which classes they are."""

from __future__ import annotations

__all__ = ["recurrent_classes"]


def recurrent_classes() -> dict[str, tuple[type, type]]:
    """{kind: PyTorch's layered module and its cell}; PyTorch is imported here."""
    import torch

    return {
        "GRU": (torch.nn.GRU, torch.nn.GRUCell),
        "LSTM": (torch.nn.LSTM, torch.nn.LSTMCell),
        "RNN": (torch.nn.RNN, torch.nn.RNNCell),
    }
