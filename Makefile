# make demo: theory against sampled networks, figures in output/demo. make test: the whole test suite. Both need python3 >= 3.11
# and, the first time, the network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# one BLAS thread a process: small matrices are slower on several
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export MPLBACKEND := Agg

.PHONY: demo test nightly lowest bench lint pictures docs clean

demo: $(VENV)/.installed
	$(BIN)/gating-theory validate --out output/demo --jobs 2

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# campaigns that the suite leaves out
nightly: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m nightly

# the suite with the oldest versions that pyproject.toml allows
lowest:
	.ci/lowest

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/networks.py
	$(BIN)/python benchmarks/dmft.py --maps

# style and types: of the package, and strictly of a user's script that calls it
lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy gating_theory
	$(BIN)/mypy --strict --follow-imports=silent tests/house/user_script.py

# the figures, which README and the gallery show; training needs what the tests need
pictures: $(VENV)/.installed-test
	$(BIN)/gating-theory figures --quick --jobs 2 --out output/figures
	cp output/figures/*.png docs/pictures/

# the site in docs/_build/html, its notebooks executed; a warning is an error
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# installed again whenever pyproject.toml changes
$(VENV)/.installed: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-lint: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable ".[lint]"
	touch $@ $(VENV)/.installed

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 >= 3.11 is needed: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	touch $@

clean:
	rm -rf $(VENV) docs/_build docs/generated output build dist *.egg-info
