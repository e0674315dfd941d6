"""What is installed: one package, whose figures and derivations no folder of a user's own can hide."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built of a copy: setuptools leaves its own files beside the sources."""
    place = tmp_path_factory.mktemp("source")
    for name in ("gating_theory", "derivations", "figures"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(place / "wheels")]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(place)], check=True, capture_output=True)
    (made,) = (place / "wheels").glob("*.whl")
    return made


@pytest.fixture
def own_folders(tmp_path):
    """A working directory with a user's own packages ``figures`` and ``derivations``."""
    for name in ("figures", "derivations"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a user\\'s own folder was imported')\n")
    return tmp_path


def listed(cwd, *options, **more):
    command = [sys.executable, "-c", "import sys; from gating_theory.cli import main; sys.exit(main(sys.argv[1:]))", *options]
    # as `python -m gating_theory.cli`: the working directory comes first on the path
    done = subprocess.run(command, cwd=cwd, env=os.environ | more, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_one_top_level_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"gating_theory"}
    # every module of the repository, and the data that goes with them
    folders = {"gating_theory": "gating_theory", "derivations": "gating_theory/derivations", "figures": "gating_theory/figures"}
    for folder, inside in folders.items():
        files = [f for pattern in ("*.py", "*.pyi", "*.json", "*.typed", "*.bib") for f in (ROOT / folder).rglob(pattern)]
        missing = [f for f in files if f"{inside}/{f.relative_to(ROOT / folder).as_posix()}" not in names]
        assert not missing, missing
    assert {"gating_theory/figures/data/training.nc", "gating_theory/figures/data/trained_modes.nc"} <= set(names)


def test_ours_from_a_wheel(wheel, own_folders):
    """A wheel holds figures and derivations that no folder of a user's own hides."""
    place = own_folders / "installed"
    zipfile.ZipFile(wheel).extractall(place)  # a wheel of Python files is its own installation
    figures = listed(own_folders, "figures", "--list", PYTHONPATH=str(place))
    assert "gru_spectra" in figures
    where = "import gating_theory.figures as f, gating_theory.derivations as d; print(f.__file__, d.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", where], cwd=own_folders, env=os.environ | {"PYTHONPATH": str(place)}, capture_output=True, text=True
    )
    assert all(Path(file).is_relative_to(place) for file in done.stdout.split()) and done.stdout
    assert "gru.edge" in listed(own_folders, "derive", "--list", PYTHONPATH=str(place))


def test_ours_from_this_installation(own_folders):
    """The one the tests run on: `make test` installs the repository in editable form."""
    assert "gru_spectra" in listed(own_folders, "figures", "--list")
    assert "gru.edge" in listed(own_folders, "derive", "--list")


@pytest.mark.slow
def test_a_source_distribution_holds_the_repository(tmp_path):
    """Whoever packages it runs the tests from it: every tracked file is there."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    files = [name for name in tracked.stdout.splitlines() if (ROOT / name).is_file()]
    for name in files:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    build = "import setuptools.build_meta as b, sys; b.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=tmp_path / "source", check=True, capture_output=True)
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert not {name for name in files if name not in inside}
