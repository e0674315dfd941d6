"""PyTorch's modules themselves: every recurrent one in them, with the weights that it computes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from .contents import Asked, Contents
from .state_dicts import found_in, listed, refused

__all__ = ["contents", "knows", "recurrent_classes"]

#: Where PyTorch's quantised modules are, under both of their addresses.
_QUANTISED = ("torch.ao.nn.quantized", "torch.nn.quantized")


def knows(source: Any) -> bool:
    """Whether it is a PyTorch module, and no layer of Keras that runs on PyTorch.

    Parameters
    ----------
    source : object
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is None or not isinstance(source, torch.nn.Module):
        return False
    return keras is None or not isinstance(source, keras.Layer)


def recurrent_classes() -> dict[str, tuple[type, type]]:
    """{kind: PyTorch's layered module and its cell}; PyTorch is imported here."""
    import torch

    return {
        "GRU": (torch.nn.GRU, torch.nn.GRUCell),
        "LSTM": (torch.nn.LSTM, torch.nn.LSTMCell),
        "RNN": (torch.nn.RNN, torch.nn.RNNCell),
    }


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent modules in a module, itself or deeper.

    Parameters
    ----------
    source : torch.nn.Module
        Parametrised weights (orthogonal, weight norm) are taken as the module computes them. Of scripted modules the state dict is
        read.
    asked : Asked
    """
    import torch

    title = type(source).__name__
    if isinstance(source, torch.jit.ScriptModule):
        return listed(source.state_dict(), title, "PyTorch module in TorchScript", asked)
    classes_by_kind = recurrent_classes()
    classes = tuple(cls for pair in classes_by_kind.values() for cls in pair)
    modules = {}
    for name, module in source.named_modules():
        if isinstance(module, classes):
            module_asked = replace(
                asked,
                nonlinearity=asked.nonlinearity or getattr(module, "nonlinearity", None),
                batch_first=bool(getattr(module, "batch_first", False)) if asked.batch_first is None else asked.batch_first,
            )
            modules[name] = found_in(_weights_of(module), f"{type(module).__name__} {name}".rstrip(), "", module_asked)
        elif type(module).__module__.startswith(_QUANTISED) and any(
            type(module).__name__.startswith(kind) for kind in classes_by_kind
        ):
            modules[name] = refused(f"{title} {name}: ", "its weights are quantised: read the module as it was before")
    sizes = {found.input_size for found in modules.values()}
    tables = {
        f"{name}.weight".lstrip("."): (module.num_embeddings, module.embedding_dim)
        for name, module in source.named_modules()
        if isinstance(module, torch.nn.Embedding) and module.embedding_dim in sizes
    }
    hint = "" if modules else f"there is no nn.GRU, nn.LSTM, nn.RNN or cell of these in {title}"
    return Contents(title, "PyTorch module", modules, tables, hint)


def _weights_of(module):
    """The tensors of a module by name; those that are parametrised as the module computes them."""
    from torch.nn.utils.weight_norm import WeightNorm  # by this path: torch.nn.utils has a function of the module's name

    names = [*(name for name, _ in module.named_parameters(recurse=False)), *getattr(module, "parametrizations", ())]
    tensors = {name: getattr(module, name) for name in names}
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):  # the module itself computes it in its next forward step only
            tensors[hook.name] = hook.compute_weight(module)
    return tensors
