"""Small gated networks in continuous time: ds/dt = F(s, y(s)) - s for any Cell [JSP].

    flow = gt.flow.GRUFlow(U_h=[[3, -3], [3, 3]])
    flow([0.1, 0.2]), flow.jacobian([0.1, 0.2])
    print(flow.fixed_points("certified"))  # all of them, with proof

The vector field, its Jacobian, the gate-free residual and their interval enclosures come from the symbolic definition of the
cell and are compiled by numba on first use, which takes some seconds. Machine code is kept on disk for later processes, in
:func:`kernel_directory`.

The names and where they come from stand in ``__init__.pyi``; a module is imported when one of its names is first used. (Not by
lazy_loader as on the package's own face: pictures stand outside this folder.)
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

#: {public name: module}
_HOMES = {
    name: module
    for module, name in re.findall(
        r"^from (\S+) import (\w+) as \2$", Path(__file__).with_name("__init__.pyi").read_text(encoding="utf-8"), flags=re.M
    )
}
__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    return __all__.copy()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name], __name__), name)
    return value
