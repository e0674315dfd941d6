"""Notebooks run in the Python that builds the site, whatever kernels a machine has; pictures stand in the page."""

import json
import os
import sys

__all__ = ["of_this_python"]

_ENVIRONMENT = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def of_this_python(folder):
    """A kernel ``python3`` in this folder, which Jupyter finds first."""
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=ERROR"]
    described = {"argv": words, "display_name": "Python 3", "language": "python", "env": _ENVIRONMENT}
    (place / "kernel.json").write_text(json.dumps(described), encoding="utf-8")
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_PATH")]))
