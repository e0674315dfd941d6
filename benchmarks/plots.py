"""Every public picture of gating_theory.plotting and gating_theory.flow, in a notebook's size and in a column's, to be looked at.

    python benchmarks/plots.py --out output/plots            # all
    python benchmarks/plots.py --out output/plots spectrum   # those with "spectrum" in their names

Pictures come out of small networks and coarse grids: what matters is whether anything overlaps, is cut off or too small to read.
At the end labels are named that lie outside their figure.
"""

import argparse
from functools import cached_property
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.text import Text

import gating_theory as gt
from gating_theory import plotting

#: Inches: of a notebook, of a column.
SIZES = {"notebook": (6.4, 4.8), "column": (3.4, 2.7)}


class Things:
    """What is drawn, made when it is first used."""

    ens = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 1, "h": 3})
    slow_leak = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 3})

    @cached_property
    def net(self):
        return gt.Network.sample(self.ens, 60, rng=0)

    @cached_property
    def state(self):
        return self.net.run(self.net.random_state(0), 100)

    @cached_property
    def point(self):
        return gt.fixed_points(self.ens)[-1]

    @cached_property
    def spectrum(self):
        return gt.Spectrum(self.point, tol=1e-3)

    @cached_property
    def eigenvalues(self):
        net, state = gt.Network.planted(self.point, 150, rng=0)
        return net.eigenvalues(state)

    @cached_property
    def diagnosis(self):
        return gt.diagnose(self.net, n_states=3)

    @cached_property
    def inputs(self):
        return np.random.default_rng(0).standard_normal((240, 3, 60))

    @cached_property
    def run(self):
        from gating_theory.networks.driven import recorded_run

        return recorded_run(self.net, self.inputs[:30])

    @cached_property
    def windows(self):
        return gt.finite_time_exponents(self.net, 3, n_steps=240, inputs=self.inputs, rng=0)

    @cached_property
    def diagram(self):
        return gt.phase_diagram(
            gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 1}),
            {"gain.r": np.linspace(1, 14, 6), "gain.h": np.linspace(1, 3, 6)},
            ["count", "moments", "onset:gain.h", "fold:gain.h"],
        )

    @cached_property
    def rates(self):
        return gt.phase_diagram(gt.Ensemble(gt.Vanilla), {"gain.h": np.linspace(1.05, 3, 6)}, ["complexity"])

    @cached_property
    def moving(self):
        return gt.dmft(self.slow_leak, n_sites=500, rng=0)

    @cached_property
    def pair(self):
        return gt.dmft(self.slow_leak.replace({"input_std.h": 0.5}), replicas=2, rho_in=0.9, n_sites=500, rng=0)

    @cached_property
    def bistable(self):
        return gt.GRUFlow(U_h=[[4.0, 0.5], [-0.5, 4.0]])


def _gradients(t, ax):
    growth = gt.gradient_growth(t.point, 30)
    plotting.plot_gradients_by_lag(t.diagnosis, growth=growth, ax=ax)


PICTURES = {
    "spectrum": lambda t, ax: plotting.plot_spectrum(t.spectrum, t.eigenvalues, ax=ax),
    "density": lambda t, ax: plotting.plot_density(t.spectrum, n=40, ax=ax),
    "timescales": lambda t, ax: plotting.plot_timescales(t.eigenvalues, ax=plotting.plot_timescales(t.spectrum, ax=ax)),
    "pseudospectrum": lambda t, ax: plotting.plot_pseudospectrum(
        gt.Spectrum(t.point.sites.thinned(300)), [0.1, 0.3], eigenvalues=t.eigenvalues, ax=ax
    ),
    "singular_values": lambda t, ax: plotting.plot_singular_values(
        gt.Spectrum(t.point.sites.thinned(300)).singular_values(),
        np.linalg.svd(t.net.jacobian(t.state), compute_uv=False),
        n=40,
        ax=ax,
    ),
    "gradient_growth": lambda t, ax: plotting.plot_gradient_growth(
        {"tied": gt.gradient_growth(t.point, 20), "untied": gt.gradient_growth(t.point, 20, weights="untied")}, ax=ax
    ),
    "gradients_by_lag": _gradients,
    "diagnosis": lambda t, ax: plotting.plot_diagnosis(t.diagnosis, ax=ax),
    "modes": lambda t, ax: plotting.plot_modes(t.diagnosis, state=0, ax=ax),
    "mode_shares": lambda t, ax: plotting.plot_mode_shares(t.diagnosis, n=6, ax=ax),
    "fixed_points": lambda t, ax: plotting.plot_fixed_points(
        t.net.find_fixed_points(12, rng=0), t.net.run(t.state, 60, trajectory=True)[:, None], ax=ax
    ),
    "lyapunov_spectrum": lambda t, ax: plotting.plot_lyapunov_spectrum(
        {
            "alone": gt.lyapunov_spectrum(t.net, n_steps=150, rng=0),
            "driven": gt.lyapunov_spectrum(t.net, inputs=t.inputs, rng=0),
        },
        ax=ax,
    ),
    "lyapunov_few": lambda t, ax: plotting.plot_lyapunov_spectrum(
        gt.lyapunov_spectrum(gt.Network.sample(gt.Ensemble(gt.LSTM, gain=0.5), 8, rng=0), n_steps=60, rng=0), ax=ax
    ),
    "finite_time": lambda t, ax: plotting.plot_finite_time_exponents({"white input": t.windows}, ax=ax),
    "finite_time_by_length": lambda t, ax: plotting.plot_finite_time_exponents(t.windows, by_length=True, ax=ax),
    "design": lambda t, ax: plotting.plot_design(
        gt.design(gt.GRU, {"slow_fraction": {30: 0.1}}, {"gain.r": 1.0}, free=("gain.z",)), ax=ax
    ),
    "phase_diagram": lambda t, ax: plotting.plot_phase_diagram(t.diagram, "count", lines=["onset:gain.h", "fold:gain.h"], ax=ax),
    "phase_diagram_moments": lambda t, ax: plotting.plot_phase_diagram(t.diagram, "moment_h", ax=ax),
    "complexity": lambda t, ax: plotting.plot_complexity(t.rates, ax=ax),
    "autocorrelation": lambda t, ax: plotting.plot_autocorrelation({"chaos": t.moving}, ax=ax),
    "correlation_transient": lambda t, ax: plotting.plot_correlation_transient(
        gt.correlation_transient(t.slow_leak, 12, 0.5, 0.3), ax=ax
    ),
    "pair": lambda t, ax: plotting.plot_pair(t.pair, ax=ax),
    "portrait": lambda t, ax: gt.flow.plot_portrait(t.bistable, ax=ax),
    "animation": lambda t, ax: plotting.animate_eigenvalues(t.run, [0, 5, 10], ax=ax),
}


def outside(figure):
    """Texts that can be seen and reach over the edge of their figure, by more than a pixel."""
    figure.canvas.draw()
    renderer, (width, height) = figure.canvas.get_renderer(), figure.canvas.get_width_height()
    found = []
    for text in figure.findobj(Text):
        box = text.get_window_extent(renderer)
        if not text.get_text().strip() or not _seen(text):
            continue
        if box.x0 < -1.0 or box.y0 < -1.0 or box.x1 > width + 1.0 or box.y1 > height + 1.0:
            found.append(text.get_text())
    return found


def _seen(text):
    return text.get_visible() and (text.axes is None or _tick_within(text))


def _tick_within(text):
    """Labels of ticks beyond the limits are not drawn."""
    axes = text.axes
    for axis in (axes.xaxis, axes.yaxis):
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return low <= tick.get_loc() <= high
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("output/plots"))
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    things, faults = Things(), []
    chosen = [name for name in [*PICTURES, "eigenvalues_along"] if not given.names or any(word in name for word in given.names)]
    for name in chosen:
        try:
            for size, inches in SIZES.items():
                if name == "eigenvalues_along":
                    figure = plotting.plot_eigenvalues_along(things.run)[0].figure
                    figure.set_size_inches(inches)
                else:
                    figure, ax = plt.subplots(figsize=inches, layout="constrained")
                    kept = PICTURES[name](things, ax)  # noqa: F841 - an animation has to live
                faults += [f"{name}, {size}: {text!r}" for text in outside(figure)]
                figure.savefig(given.out / f"{name}_{size}.png", dpi=110)
                plt.close(figure)
        except Exception as error:  # the others are drawn all the same
            faults.append(f"{name}: {type(error).__name__}: {error}")
        print(name, flush=True)
    print("\n".join(["outside their figures, or not drawn:", *faults] if faults else ["all texts lie within their figures"]))


if __name__ == "__main__":
    main()
