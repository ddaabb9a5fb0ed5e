# Every command of the project; `make` alone lists them. Needs make, and python3 with venv.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What is imported is compiled then; compiling all of torch takes as long as a search.
INSTALL := $(PIP) install --no-compile --constraint constraints.txt --build-constraint constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help venv search extras test test-all pages bench evidence clean

help: ## list the commands
	@echo "Usage: make COMMAND [PYTHON=python3.12] [ARGS='--budget 20']"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

venv: .venv/installed ## make .venv and install the package there

search: .venv/installed ## find a network for the built-in images (ARGS go to `anglenas search`)
	$(BIN)/anglenas search $(ARGS)

extras: .venv/installed ## install what `anglenas train`, verify and export need, too
	$(INSTALL) -qq --editable '.[train,export,cluster]'

test: .venv/installed-dev ## check style, types and layers, and run the quick tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

test-all: .venv/installed-dev ## run the slow tests, which `make test` leaves out: both together are all
	$(BIN)/pytest -n 2 --dist worksteal -m slow --durations=15

pages: .venv/installed-dev ## write the pages that are made from the code: its public names, its metrics
	$(BIN)/python tests/test_api.py
	$(BIN)/python tests/test_probe_docs.py

bench: .venv/installed ## run the benchmarks that need no data of yours
	@set -e; for name in forms throughput metrics_together; do echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done

# Accuracies of the benchmark are needed besides: docs/study.md tells how to write nasbench201.csv.
evidence: .venv/installed ## make the tables of docs/evidence from their scores (ANGLENAS_DEV_DATA=folder)
	$(BIN)/python benchmarks/evidence.py $(ARGS)

clean: ## remove .venv, build results and caches
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps are written last, so an install that was interrupted is simply done again.
# pip comes first: the one that Debian ships knows neither --group nor --build-constraint.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { \
	  echo "anglenas needs Python 3.11 to 3.14; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || { \
	  echo "Making .venv with $$($(PYTHON) --version)"; rm -rf .venv; $(PYTHON) -m venv .venv; }
	@$(PIP) install -qq --constraint constraints.txt pip
	@echo "Installing torch into .venv: about a minute for the CPU build, much longer for a CUDA"
	@echo "build of several GB (the head of constraints.txt tells how to get the CPU build)"
	@$(INSTALL) torch
	@echo "Installing anglenas and its other dependencies"
	@$(INSTALL) -qq --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Installing the tools for development, and the extras"
	@$(INSTALL) -qq --group dev --editable '.[train,export,cluster]'
	@touch $@
