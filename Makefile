# One short entry per chore. Each works on a fresh clone: the virtual environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/tools/bin
LOCKED := install --quiet --no-compile --require-hashes --requirement
LOCK = UV_CUSTOM_COMPILE_COMMAND='make lock' $(TOOLS)/uv pip compile --quiet --universal --generate-hashes \
  --python-version 3.11 $(UPGRADE)
UPGRADE ?=
# Tests start hundreds of programs, of which each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
BESIDE := --numprocesses=auto --dist=loadfile --no-loadscope-reorder --durations=20 \
  --ignore=tests/benchmarks --ignore=tests/soak

.PHONY: run test test-fast soak lint types bench lock audit dist sbom clean

run: $(VENV)/ready  ## the secured zoo demo, on embedded defaults
	@$(BIN)/ostiary up

test: lint  ## everything CI checks; an advisory of today is told, and fails nobody's change
	@$(MAKE) --no-print-directory --jobs=3 types advisories test-beside
	$(BIN)/python -m pytest --durations=20 tests/benchmarks tests/soak

test-fast: $(VENV)/ready  ## what starts no program: no browser, no peer, no PostgreSQL, no demo
	$(BIN)/python -m pytest --fast $(BESIDE)

.PHONY: advisories test-beside
advisories:
	-@$(MAKE) --no-print-directory audit

test-beside: $(VENV)/ready  # what may run beside something else
	$(BIN)/python -m pytest $(BESIDE)

soak: $(VENV)/ready  ## everybody hostile at once beside honest callers; alone, since it judges how long they wait
	$(BIN)/python -m pytest tests/soak

lint: $(VENV)/ready  ## format, style, which way imports point, and whether the maps are true
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -q tests/test_house.py
	$(BIN)/lint-imports

types: $(VENV)/ready
	$(BIN)/mypy

bench: $(VENV)/ready  ## compare with peers on this machine; rewrites benchmarks/README.md
	$(BIN)/python -m benchmarks

lock: $(VENV)/tools/ready  ## write requirements/ again; UPGRADE=--upgrade takes the newest of all
	$(LOCK) pyproject.toml --all-extras --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --extra keyring --extra postgresql --extra spiffe --constraint requirements/dev.txt \
	  --output-file requirements/runtime.txt
	$(LOCK) --group tools --output-file requirements/tools.txt

audit: $(VENV)/tools/ready  ## known advisories against all that is locked
	@$(TOOLS)/python requirements/audit.py

dist: $(VENV)/ready  ## the wheel and the source, the same bytes on every machine
	$(BIN)/python -m hatchling build

sbom: $(VENV)/tools/ready  ## what an installation of this version is made of, in dist/
	@mkdir -p dist
	$(TOOLS)/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --output-format JSON --output-file dist/ostiary.cdx.json

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .hypothesis .ruff_cache

$(VENV)/ready: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Ostiary needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip $(LOCKED) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/tools/ready: requirements/tools.txt
	$(PYTHON) -m venv $(VENV)/tools
	$(TOOLS)/python -m pip $(LOCKED) requirements/tools.txt
	@touch $@
