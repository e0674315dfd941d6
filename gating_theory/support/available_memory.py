"""How much memory may still be taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["GROUPS", "available_memory", "require_memory"]

#: Where control groups of either version keep their limits, and how their files are called: limit, use.
GROUPS = (
    (Path("/sys/fs/cgroup"), ("memory.max", "memory.current")),
    (Path("/sys/fs/cgroup/memory"), ("memory.limit_in_bytes", "memory.usage_in_bytes")),
)

#: Bytes that are not worth asking the system for.
_NOTHING = 1e6


def available_memory() -> float:
    """Bytes that may be taken: what the machine has free, or what is left to this process's control group where that is less.

    Returns
    -------
    float, infinite where the system does not say
    """
    return min([_of_the_machine(), *_of_control_groups()])


def require_memory(what: str, needed: float) -> None:
    """MemoryError where ``what`` would take more bytes than are free: said with both numbers, before any is taken.

    Parameters
    ----------
    what : str, the subject of the message
    needed : float, bytes
    """
    if needed < _NOTHING:
        return
    free = available_memory()
    if needed > free:
        raise MemoryError(f"{what} would take {needed / 1e9:.3g} GB of memory; {free / 1e9:.3g} GB are free")


def _of_the_machine():
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return 1024.0 * float(line.split()[1])
    return np.inf


def _of_control_groups():
    """What each group leaves: the one a container sees as its root, and the process's own with those above it."""
    own = {line.split(":", 2)[2].strip("/") for line in _read(Path("/proc/self/cgroup")).splitlines()}
    for root, (limit, used) in GROUPS:
        inner = {above for path in own for above in (root / path, *(root / path).parents)}
        for folder in {root, *(f for f in inner if root in f.parents)}:
            allowed, taken = _read(folder / limit).strip(), _read(folder / used).strip()
            if allowed.isdigit() and taken.isdigit():  # not "max"
                # file cache counts as taken and gives way
                cache = [
                    line.split()[1] for line in _read(folder / "memory.stat").splitlines() if line.startswith("inactive_file ")
                ]
                yield max(0.0, float(allowed) - float(taken) + sum(map(float, cache)))


def _read(path):
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
