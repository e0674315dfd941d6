"""``gating-theory diagnose``: timescales, stability and gradients of saved recurrent weights."""

from __future__ import annotations

import argparse
import json
import zlib
from zipfile import BadZipFile

import numpy as np

from ..results.provenance import provenance
from ..training.diagnose import diagnose
from .common import counter, directory, write_text

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Diagnose, print, and write with ``--out``; the exit code."""
    inputs, lengths = (None, None) if options.inputs is None else _sequences(options.inputs)
    result = diagnose(
        options.checkpoint,
        inputs,
        lengths=lengths,
        layer=options.layer,
        direction=options.direction,
        prefix=options.prefix,
        kind=options.kind,
        nonlinearity=options.nonlinearity,
        batch_first=options.batch_first,
        initial=options.initial,
        n_states=options.n_states,
        taus=options.tau,
        rng=options.seed,
        progress=counter("diagnosis"),
    )
    record = result.as_dict() | {"provenance": provenance(result.ensemble, seed=options.seed)}
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    out = directory(options.out)
    if out is not None:
        from ..plotting import plot_diagnosis, plot_mode_shares, plot_timescales
        from ..results.store import save
        from ..validation.report import panels, save_figure

        save(result, out / "diagnosis.nc")
        write_text(out / "diagnosis.json", text)
        write_text(out / "diagnosis.txt", f"{result}\n")
        figure, axes = panels(3 if len(result.modes) else 2, 1, 3.6, 3.6)
        plot_diagnosis(result, ax=axes[0])
        plot_timescales(result.eigenvalues, ax=axes[1])
        plot_timescales(result.spectrum, label="theory (random weights)", ax=axes[1])
        if len(result.modes):
            plot_mode_shares(result, ax=axes[2])
        save_figure(figure, out / "diagnosis.png")
    print(text if options.json else result, end="" if options.json else "\n")
    return 0


def _sequences(path):
    """(array, lengths or None) from a .npy file, or a .npz file of "inputs" and "lengths"; nothing pickled is read."""
    try:
        with open(path, "rb") as file:  # numpy does not close what it cannot read
            found = np.load(file, allow_pickle=False)
            arrays = {"inputs": found} if isinstance(found, np.ndarray) else dict(found)
    except (ValueError, EOFError, BadZipFile, zlib.error):  # numpy's own words advise to unpickle it
        raise ValueError(f"--inputs {path} is not a .npy or .npz file of numbers, or only a part of one") from None
    if not {"inputs"} <= set(arrays) <= {"inputs", "lengths"}:
        raise ValueError(
            f"--inputs {path} must be a .npy file with one array, or an archive (.npz) of 'inputs' and 'lengths', got "
            f"{sorted(arrays)}"
        )
    for array in arrays.values():
        if not np.issubdtype(array.dtype, np.floating) and not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"--inputs {path} must hold real numbers, got {array.dtype} of shape {array.shape}")
    return arrays["inputs"], arrays.get("lengths")
