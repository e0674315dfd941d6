"""Pictures are drawn without windows, and leave nothing behind."""

import matplotlib
import pytest


@pytest.fixture(autouse=True)
def nothing_global(monkeypatch):
    """No window, no change of settings, no figure left over."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("plt.show was called"))
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before
