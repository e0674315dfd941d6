"""Running figures: what has been computed with the same settings, wholly or in part, is not computed again."""

from __future__ import annotations

import hashlib
import io
import json
import time
import warnings
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import gating_theory as gt
from gating_theory.results.provenance import provenance
from gating_theory.support.files import write_atomically
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
    "common_gain",
    "complexity",
    "matrices",
    "memory",
    "low_dimensional",
    "topologies",
    "planes",
    "singular_values",
    "pseudospectra",
    "gradient_growth",
    "gradient_maps",
    "dynamic_mean_field",
    "chaos_under_input",
    "echo_state",
    "gated_flow",
    "chaos",
    "own_cell",
    "continuous_attractors",
    "training",
    "trained_modes",
    "kernels",
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
        Default: all of ``NAMES`` but those that need packages which are not installed; ``tell`` is told of them first.
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
    ValueError
        unknown names
    ModuleNotFoundError
        a figure that was asked for by name needs a package that is not installed
    """
    wanted = NAMES if names is None else tuple(names)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise ValueError(f"names has the unknown entry {unknown[0]!r}; allowed are {list(NAMES)}")
    tell = tell or (lambda text: None)
    out, some = Path(out), []
    for one in (_Figure(name, bool(quick), seed, Path(out)) for name in wanted):
        absent = [] if one.found() is not None else one.absent()
        if absent:
            lacks = f"needs {' and '.join(absent)}, not installed here: pip install 'gating-theory[figures]'"
            if names is not None:
                raise ModuleNotFoundError(f"figure {one.name} {lacks}")
            tell(f"{one.name}: left out, for it {lacks}")
        else:
            some.append(one)
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        return _run(some, executor, tell, progress)
    finally:
        if new:  # after an error there may be nothing in it
            with suppress(OSError):
                out.rmdir()


def _run(some, executor, tell, progress):
    files = []
    with _ahead([one for one in some if one.alone() and one.found() is None], executor) as ahead:
        for one in some:
            started = time.perf_counter()
            data, verb = one.found(), "found"
            if data is None:
                work = Work(executor, None if progress is None else progress(one.name), one.journals())
                data = ahead(one.name)
                data, verb = one.save(one.compute(work) if data is None else data), "computed"
                work.clear()
            files += one.draw(data)
            tell(f"{one.name}: {one.script.TITLE} ({verb}, {time.perf_counter() - started:.0f} s)")
    return files


@dataclass(frozen=True)
class _Figure:
    """One script, its settings, and its files."""

    name: str
    quick: bool
    seed: int
    out: Path

    @property
    def script(self):
        return import_module(f"{__package__}.{self.name}")

    @property
    def request(self):
        """What data must have been computed with to be found again."""
        return json.dumps({"figure": self.name, "quick": self.quick, "seed": self.seed, "gating_theory": __version__})

    def path(self, suffix):
        return self.out / f"{self.name}.{suffix}"

    def absent(self):
        """Packages that computing needs and that are not installed."""
        return [package for package in getattr(self.script, "NEEDS", ()) if find_spec(package) is None]

    def alone(self):
        """Whether it is to be computed as a whole, in one process."""
        return getattr(self.script, "ALONE", None) in ("always", "quick" if self.quick else "full")

    def journals(self):
        """Other settings have other journals: none is refused, and none is lost when a quick run comes between."""
        return self.out / f"{self.name}-{hashlib.sha256(self.request.encode()).hexdigest()[:8]}-"

    def found(self):
        """The data of an earlier run with the same settings, or None."""
        if not self.path("nc").exists():
            return None
        try:
            data = gt.load(self.path("nc"))
        except ValueError:  # cut short or something else: computed anew
            return None
        return data if getattr(data, "attrs", {}).get("request") == self.request else None

    def compute(self, work):
        return self.script.compute(self.quick, self.seed, work)

    def save(self, data):
        data = data.assign_attrs(request=self.request, title=self.script.TITLE)
        data.attrs.setdefault("provenance", json.dumps(provenance(seed=self.seed, quick=self.quick)))
        gt.save(data, self.path("nc"))
        return data

    def draw(self, data):
        """Pictures, and what was found in words; the paths of all files."""
        figure = self.script.draw(data)
        write_atomically(self.path("pdf"), lambda path: figure.savefig(path, format="pdf", dpi=200))
        write_atomically(self.path("png"), lambda path: _write_png(figure, path))
        suffixes = ["nc", "png", "pdf"]
        if hasattr(self.script, "findings"):
            text = self.script.findings(data)
            write_atomically(self.path("txt"), lambda path: Path(path).write_text(text, encoding="utf-8"))
            suffixes.append("txt")
        return [self.path(suffix) for suffix in suffixes]


@contextmanager
def _ahead(some, executor):
    """These figures are begun at once, one after the other in one process of the executor: callable(name) waits for the data.

    It gives None for other figures, for those that failed, and where there is no executor or its workers are lost.
    """
    future = executor.submit(_compute, some) if executor is not None and some else None

    def result(name):
        if future is None or name not in {one.name for one in some}:
            return None
        try:
            return future.result()[name]
        except BrokenExecutor as error:
            warnings.warn(
                f"the workers are lost ({error}): figure {name} is computed by this process", RuntimeWarning, stacklevel=3
            )
            return None

    try:
        yield result
    finally:
        if future is not None:
            future.cancel()


def _compute(some):
    """Data of each figure, or None where it cannot be computed: why is said when the figure is due."""
    out = {}
    for one in some:
        out[one.name] = None
        with suppress(Exception):
            out[one.name] = one.compute(Work())
    return out


def _write_png(figure, path):
    """With a palette of 256 colours: a third of the size."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=200)
    with Image.open(drawn) as picture:
        palette = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(path, format="png", optimize=True)
