"""Memory that may still be taken: what the machine and a control group leave."""

import pytest

import gating_theory as gt
from gating_theory.support import available_memory as memory


def test_memory_of_a_control_group(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    for folder, limit, used, cache in ((tmp_path, "max", 10, 0), (tmp_path / "inner", 5_000_000, 3_000_000, 1_000_000)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\n")
    monkeypatch.setattr(memory, "GROUPS", ((tmp_path, ("memory.max", "memory.current")),))
    assert memory.available_memory() > 5e6  # no limit at the root
    monkeypatch.setattr(memory, "GROUPS", ((tmp_path / "inner", ("memory.max", "memory.current")),))
    assert memory.available_memory() == 3e6
    with pytest.raises(MemoryError, match="at most"):
        gt.simulate(gt.Ensemble(gt.GRU), 100_000, 10)


def test_a_cache_larger_than_what_is_left_leaves_no_less_than_nothing(tmp_path, monkeypatch):
    for name, value in (("memory.max", "100"), ("memory.current", "300"), ("memory.stat", "inactive_file 50")):
        (tmp_path / name).write_text(f"{value}\n")
    monkeypatch.setattr(memory, "GROUPS", ((tmp_path, ("memory.max", "memory.current")),))
    assert memory.available_memory() == 0.0


def test_a_machine_without_control_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUPS", ((tmp_path / "none", ("memory.max", "memory.current")),))
    assert memory.available_memory() > 0.0


def test_what_does_not_fit_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2e9)
    memory.require_memory("a table", 1.9e9)
    with pytest.raises(MemoryError, match="a table would take 3 GB of memory; 2 GB are free"):
        memory.require_memory("a table", 3e9)
