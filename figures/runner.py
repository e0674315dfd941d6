"""Running figures: what has been computed with the same settings, wholly or in part, is not computed again."""

from __future__ import annotations

import hashlib
import io
import json
import time
from importlib import import_module
from pathlib import Path

import gating_theory as gt
from gating_theory.io import write_atomically
from gating_theory.provenance import provenance
from gating_theory.version import __version__

from .work import Work

__all__ = ["NAMES", "run"]

#: In the order in which a reader would want them.
NAMES = (
    "gru_spectra",
    "lstm_spectra",
    "slow_modes",
    "marginal_stability",
    "spectral_radius",
    "gru_phase_diagram",
    "lstm_phase_diagram",
    "complexity",
    "low_dimensional",
    "topologies",
    "own_cell",
    "continuous_attractors",
    "training",
)


def run(out, names=None, *, quick=True, seed=0, executor=None, tell=None, progress=None):
    """Compute, save and draw figures.

    Parameters
    ----------
    out : str or path-like
        A directory, made if there is none: for each figure NAME.nc (data with provenance, see ``gt.load``), NAME.png, NAME.pdf, and
        NAME.txt where the figure says in words what was found. After a run that was killed it also holds NAME-*.journal, from which
        the next run with the same settings goes on.
    names : sequence of str, optional
        Default: all of ``NAMES``.
    quick : bool
        Smaller networks and coarser grids: minutes in all, instead of an hour.
    seed : int
    executor : concurrent.futures.Executor, optional
    tell : callable(text), optional
        Told a line per figure.
    progress : callable(name), optional
        Gives a callable(done, total) for the figure of that name; it is told of each piece of its work from 0 on.

    Returns
    -------
    list of pathlib.Path, the files written or found

    Raises
    ------
    ValueError : unknown names
    """
    names = NAMES if names is None else tuple(names)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"names has the unknown entry {unknown[0]!r}; allowed are {list(NAMES)}")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name in names:
        script = import_module(f"{__package__}.{name}")
        request = json.dumps({"figure": name, "quick": bool(quick), "seed": seed, "gating_theory": __version__})
        started = time.perf_counter()
        data, verb = _found(out / f"{name}.nc", request), "found"
        if data is None:
            # other settings have other journals: none is refused, and none is lost when a quick run comes between
            journals = out / f"{name}-{hashlib.sha256(request.encode()).hexdigest()[:8]}-"
            work = Work(executor, None if progress is None else progress(name), journals)
            data = script.compute(bool(quick), seed, work)
            data = data.assign_attrs(request=request, title=script.TITLE)
            data.attrs.setdefault("provenance", json.dumps(provenance(seed=seed, quick=bool(quick))))
            gt.save(data, out / f"{name}.nc")
            work.clear()
            verb = "computed"
        _write(script.draw(data), out, name)
        files += [out / f"{name}.{suffix}" for suffix in ("nc", "png", "pdf")]
        if hasattr(script, "findings"):
            text = script.findings(data)
            write_atomically(out / f"{name}.txt", lambda path, text=text: Path(path).write_text(text, encoding="utf-8"))
            files.append(out / f"{name}.txt")
        if tell is not None:
            tell(f"{name}: {script.TITLE} ({verb}, {time.perf_counter() - started:.0f} s)")
    return files


def _write(figure, out, name):
    write_atomically(out / f"{name}.pdf", lambda path: figure.savefig(path, format="pdf", dpi=200))
    write_atomically(out / f"{name}.png", lambda path: _write_png(figure, path))


def _write_png(figure, path):
    """With a palette of 256 colours: a third of the size."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=200)
    with Image.open(drawn) as picture:
        palette = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(path, format="png", optimize=True)


def _found(path, request):
    """The data of an earlier run with the same settings, or None."""
    if not path.exists():
        return None
    try:
        data = gt.load(path)
    except ValueError:  # cut short or something else: computed anew
        return None
    return data if getattr(data, "attrs", {}).get("request") == request else None
