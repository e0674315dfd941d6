"""A cell that is in neither paper, declared in ten lines, taken through everything."""

from __future__ import annotations

import numpy as np
import sympy

import gating_theory as gt

from .common import (
    BLUE,
    VERMILLION,
    count_patches,
    draw_cloud,
    draw_curve,
    draw_onset_and_fold,
    joined,
    padded,
    panels,
    parts,
    plain_log,
    planted_eigenvalues,
    whole,
)

TITLE = "A cell of one's own: leaky units whose candidate is amplified by a gate that also sets their timescale"


def cell():
    """An update gate that also scales what is read: h' = z h + (1 - z) tanh((1 + z) y_h), ten lines with this one."""
    h, y_z, y_h = sympy.symbols("h y_z y_h", real=True)
    z = gt.sigma(y_z)
    candidate = sympy.tanh((1 + z) * y_h)
    return gt.Cell(
        name="amplified",
        state=[h],
        fields=[y_z, y_h],
        messages=[h, h],
        update=[z * h + (1 - z) * candidate],
        fixed_point=[candidate],
    )


def compute(quick, rng, work):
    """See the package."""
    import xarray as xr

    size, n = (16, 400) if quick else (50, 1500)
    ens = gt.Ensemble(cell(), gain={"z": 3.0, "h": 2.0})
    axes = {"gain.z": np.linspace(0.0, 20.0, size), "gain.h": np.linspace(0.4, 1.4, size)}
    areas = work.phase_diagram(ens, axes, ("count",))
    lines = work.phase_diagram(ens, {"gain.z": axes["gain.z"]}, ("onset:gain.h", "fold:gain.h"))
    point = gt.fixed_points(ens)[-1]
    spectrum = gt.Spectrum(point)
    eigenvalues = planted_eigenvalues(point, n, (rng, 0))[0]
    tau = np.geomspace(1.0, 300.0, 20)
    a_h = np.linspace(0.6, 3.0, 9 if quick else 25)
    sigma = work.over(_complexity, [(ens, float(v)) for v in a_h])
    variables = {
        "count": (("a_z", "a_h"), areas["count"].values),
        "onset": ("a_z", lines["onset:gain.h"].values),
        "fold": ("a_z", lines["fold:gain.h"].values),
        "eigenvalues": (("eigenvalue", "part"), parts(eigenvalues)),
        "edge": (("point", "part"), parts(padded([joined(spectrum.boundary(384))])[0])),
        "slower": ("tau", spectrum.slow_fraction(tau)),
        "slower_measured": ("tau", np.array([np.mean(np.abs(eigenvalues) > np.exp(-1 / t)) for t in tau])),
        "complexity": (("gain", "theory"), np.array(sigma)),
    }
    coordinates = {"a_z": axes["gain.z"], "a_h": axes["gain.h"], "tau": tau, "gain": a_h, "theory": ["mean_field", "annealed"]}
    return xr.Dataset(variables, coordinates, {"n_units": n, "error_of_jacobian": cell().check_jacobian(rng=0)})


def _complexity(ens, a_h):
    out = []
    for method in ("mean_field", "annealed"):
        try:
            out.append(gt.complexity(ens.replace({"gain.h": a_h}), method=method).value)
        except gt.ConvergenceError:
            out.append(np.nan)
    return out


def draw(data):
    """Phase diagram, spectrum, timescales, complexity."""
    figure, axes = panels(2, 2, height=2.1)
    a, b, c, d = axes.flat
    draw_onset_and_fold(a, data["a_z"], data["a_h"], data["count"], data["a_z"], data["onset"], data["fold"])
    a.set_xlabel("$a_z$")
    a.set_ylabel("$a_h$")
    handles, _ = a.get_legend_handles_labels()
    a.legend(handles=[*handles, *count_patches(1, 2)], fontsize=6, loc="upper right")
    draw_cloud(b, whole(data["eigenvalues"]), whole(data["edge"]))
    b.set_title("$a_z = 3$, $a_h = 2$", fontsize="small")
    c.loglog(data["tau"], data["slower"], color=VERMILLION, label="theory")
    c.loglog(
        data["tau"], data["slower_measured"].where(data["slower_measured"] > 0), "o", color=BLUE, markersize=3, label="network"
    )
    plain_log(c)
    c.set_xlabel(r"$\tau$ (steps)")
    c.set_ylabel(r"fraction slower than $\tau$")
    c.legend(fontsize="x-small")
    for method, colour in (("mean_field", BLUE), ("annealed", VERMILLION)):
        draw_curve(d, data["gain"], data["complexity"].sel(theory=method), color=colour, label=method.replace("_", " "))
    d.set_xlabel("$a_h$")
    d.set_ylabel(r"complexity $\Sigma$")
    d.legend(fontsize="x-small")
    for ax in axes.flat:
        ax.tick_params(labelsize="x-small")
    return figure
