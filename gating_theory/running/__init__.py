"""How long work runs: tasks, journals, progress, threads."""
