# Every target makes its own virtual environment from nothing and from pinned versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test lint bench validate fire fuzz clean

demo: $(INSTALLED)  ## simulate an experiment, run everything on it, compare with the truth
	$(BIN)/operando demo demo

test: $(INSTALLED)  ## the whole test suite
	$(BIN)/pytest

lint: $(INSTALLED)  ## style, types and import rules alone (the tests run them too)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## speed and memory, beside the peers that are installed; docs/benchmarks quotes the tables
	for name in reconstruct simulate diffraction_speed viewer; do $(BIN)/python benchmarks/$$name.py || exit 1; done

validate: $(INSTALLED)  ## long statistics over many seeds: bias, coverage, causes; docs/validation quotes the tables
	for name in validate_diffraction validate_morphology causes; do $(BIN)/python benchmarks/$$name.py || exit 1; done

fire: $(INSTALLED)  ## kill a run a hundred times and resume it; writes docs/reliability.md
	$(BIN)/python benchmarks/fire.py

fuzz: $(INSTALLED)  ## feed every reader 100 000 spoilt files; writes its table into docs/reliability.md
	$(BIN)/python benchmarks/fuzz.py --output docs/reliability.md

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache
