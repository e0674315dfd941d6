"""How long work runs: tasks, journals, progress, memory, threads."""
