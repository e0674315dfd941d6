"""The tree of ARCHITECTURE.md names every module once, in the folder that it is in, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: A command is a module, and its name is the command's.
BY_THEIR_NAMES = {"cli"}


def listed():
    """{folder: words of its entry without what is in brackets}."""
    tree = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("## The tree")[1].split("```")[1]
    entries, chapter, folder = {}, "", ""
    for line in tree.splitlines():
        if found := re.match(r"^( {2}| {4})(\w+)/ +(.*)", line):
            chapter = found[2] if len(found[1]) == 2 else chapter
            folder = found[2] if len(found[1]) == 2 else f"{chapter}/{found[2]}"
            entries[folder] = found[3]
        elif folder and line.startswith("   "):
            entries[folder] += " " + line.strip()
    return {folder: re.findall(r"\w+", re.sub(r"\([^)]*\)", "", text)) for folder, text in entries.items()}


def test_every_module_stands_once_where_it_is():
    package, entries = ROOT / "gating_theory", listed()
    modules = {folder: [] for folder in entries}
    for file in package.rglob("*.py"):
        if file.stem != "__init__" and file.parent != package:
            modules.setdefault(file.parent.relative_to(package).as_posix(), []).append(file.stem)
    assert set(modules) == set(entries)
    for folder in set(entries) - BY_THEIR_NAMES:
        assert {name: entries[folder].count(name) for name in modules[folder]} == dict.fromkeys(modules[folder], 1), folder
        named = {word for word in entries[folder] if "_" in word}
        assert named <= set(modules[folder]), folder
