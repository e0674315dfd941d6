"""Mean-field and random-matrix theory of gated recurrent networks, derived from one symbolic definition of the cell.

    import gating_theory as gt
    ens = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6})
    fps = gt.fixed_points(ens)
    sp = gt.Spectrum(fps[-1])
    sp.radius(), sp.slow_fraction(100)

The names and where they come from stand in ``__init__.pyi``; a module is imported when one of its names is first used. ``cite``
reads which have been asked for.
"""

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

#: Public names that this session has asked for, in their order.
__asked__: dict[str, None] = {}


def __getattr__(name):
    value = _load(name)
    __asked__[name] = None
    return value
