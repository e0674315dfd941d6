"""``gating-theory read``: which recurrent layers a file holds."""

from __future__ import annotations

import argparse
import json

from ..interop.readers import read
from .common import plain

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """List the modules, or what one of them is made of; the exit code."""
    found = read(options.file, kind=options.kind, nonlinearity=options.nonlinearity)
    if options.prefix is not None:
        layers = _layers(found.weights(options.prefix))
        print(json.dumps(plain(layers), indent=1) if options.json else "\n".join(map(_line, layers)))
        return 0
    modules = {
        name: {"kind": module.kind, "n_layers": module.n_layers, "directions": module.directions}
        | {"input_size": module.input_size, "n_units": module.n_units, "problem": module.problem}
        for name, module in found.modules.items()
    }
    record = {"source": found.source, "format": found.format, "modules": modules, "embeddings": dict(found.embeddings)}
    print(json.dumps(plain(record), indent=1) if options.json else found)
    return 0


def _layers(weights):
    """Sizes and gains of each layer and direction."""
    networks = {place: weights.layer(*place).network for place in weights.tensors}
    return [
        {"layer": layer, "direction": direction, "cell": net.cell.name, "n_units": net.n_units}
        | {"input_size": weights.tensors[layer, direction]["weight_ih"].shape[1], "gain": net.ensemble.gain}
        for (layer, direction), net in networks.items()
    ]


def _line(layer):
    gains = ", ".join(f"{name} {gain:.3g}" for name, gain in layer["gain"].items())
    sizes = f"{layer['input_size']} inputs, {layer['n_units']} units"
    return f"layer {layer['layer']}, {layer['direction']}: {layer['cell']}, {sizes}, gain {gains}"
