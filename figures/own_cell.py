"""A cell that is in neither paper, declared in ten lines, taken through everything."""

from __future__ import annotations

import numpy as np
import sympy

import gating_theory as gt

from .common import (
    BLUE,
    SPECIALS,
    VERMILLION,
    count_patches,
    curves_of,
    draw_cloud,
    draw_counts,
    draw_curve,
    draw_lines,
    joined,
    padded,
    panels,
    parts,
    plain_log,
    planted_eigenvalues,
    special_handle,
    specials_of,
    whole,
)

TITLE = "A cell of one's own: leaky units whose candidate is amplified by a gate that also sets their timescale"

_BOUNDS = (0.0, 20.0), (0.62, 0.76)
_LABELS = {"onset": "onset: zero state unstable above", "fold": "fold: non-zero mean-field solutions above"}


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

    n = 400 if quick else 1500
    ens = gt.Ensemble(cell(), gain={"z": 3.0, "h": 2.0})
    lines = [gt.critical_line(ens, ("gain.z", "gain.h"), kind, bounds=_BOUNDS, tol=1e-3 if quick else 1e-5) for kind in _LABELS]
    # below the fold, between fold and onset, above both
    places = _BOUNDS[1][0], float(np.mean([line.at(_BOUNDS[0][1]) for line in lines])), _BOUNDS[1][1]
    count = [len(gt.fixed_points(ens.replace({"gain.z": _BOUNDS[0][1], "gain.h": a_h}))) for a_h in places]
    point = gt.fixed_points(ens)[-1]
    spectrum = gt.Spectrum(point)
    eigenvalues = planted_eigenvalues(point, n, (rng, 0))[0]
    tau = np.geomspace(1.0, 300.0, 20)
    a_h = np.linspace(0.6, 3.0, 9 if quick else 25)
    sigma = work.over(_complexity, [(ens, float(v)) for v in a_h])
    variables = {
        "curves": (("kind", "curve_point", "part"), curves_of(lines)),
        "specials": (("kind", "special", "part"), specials_of(lines)),
        "complete": ("kind", [line.ok for line in lines]),
        "count": ("region", count),
        "eigenvalues": (("eigenvalue", "part"), parts(eigenvalues)),
        "edge": (("point", "part"), parts(padded([joined(spectrum.boundary(384))])[0])),
        "slower": ("tau", spectrum.slow_fraction(tau)),
        "slower_measured": ("tau", np.array([np.mean(np.abs(eigenvalues) > np.exp(-1 / t)) for t in tau])),
        "complexity": (("gain", "theory"), np.array(sigma)),
    }
    coordinates = {"kind": list(_LABELS), "special": list(SPECIALS), "tau": tau, "gain": a_h, "theory": ["mean_field", "annealed"]}
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
    for set_limits, limits in zip((a.set_xlim, a.set_ylim), _BOUNDS):
        set_limits(*limits)
    draw_counts(a, *(whole(data["curves"].sel(kind=kind)) for kind in _LABELS), data["count"].values)
    draw_lines(a, data, _LABELS)
    a.set_xlabel("$a_z$")
    a.set_ylabel("$a_h$")
    handles, _ = a.get_legend_handles_labels()
    handles.append(special_handle("tricritical", "onset", "tricritical point"))
    a.legend(handles=[*handles, *count_patches(1, 2, 3)], fontsize=6, loc="upper right")
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
