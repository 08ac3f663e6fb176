# One short entry per chore. Each works on a fresh clone: the virtual environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint types bench clean

run: $(VENV)/ready  ## the secured zoo demo, on embedded defaults
	@$(BIN)/ostiary up

test: lint types  ## everything CI checks
	$(BIN)/python -m pytest

lint: $(VENV)/ready  ## format, style, and which way imports point
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/ready
	$(BIN)/mypy

bench: $(VENV)/ready  ## compare with peers on this machine; rewrites benchmarks/README.md
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Ostiary needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
