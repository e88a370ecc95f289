# Two commands are all a newcomer needs: `make demo` and `make test`. Each does its own set-up.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check --no-input install --quiet --constraint .ci/constraints.txt
SUITES := $(BIN)/python .ci/suites.py

FRONT  := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null)
HOUSE  := pyproject.toml .ci/constraints.txt labextension/install.json nbchannels/jupyter-config/nbchannels.json

# npm's scripts call jupyter-builder; every tool comes from the environment made here.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types test-python test-ts test-integration test-redis test-browser test-long bench soak fuzz clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-18s %s\n", $$1, $$2 }'

setup:  ## make the environment (.venv) with everything for development
	@$(MAKE) --no-print-directory -j2 $(VENV)/.test $(VENV)/.built

demo:  ## JupyterLab with the quickstart, nothing else needed
	@$(MAKE) --no-print-directory -j2 $(VENV)/.lab $(VENV)/.built
	@exec $(BIN)/python .ci/demo.py

test: setup  ## everything: lint, types, Python, TypeScript, integration, Redis, browser
	@$(SUITES)

lint: setup  ## ruff and eslint
	@$(SUITES) lint

types: setup  ## mypy --strict and tsc
	@$(SUITES) types

test-python: setup  ## the Python tests
	@$(SUITES) python

test-ts: setup  ## the TypeScript tests
	@$(SUITES) typescript

test-integration: setup  ## real servers, real kernels
	@$(SUITES) integration

test-redis: setup  ## Redis itself: one server, Sentinel, Cluster, and what goes wrong between
	@$(SUITES) redis

test-browser: setup  ## Chromium on JupyterLab and Notebook 7
	@$(SUITES) browser

bench: $(VENV)/.bench  ## every benchmarks/bench_*.py
	@set -e; for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script; done

test-long: setup  ## the tests that `make test` leaves out because they take long
	@$(SUITES) redis-long

soak: setup  ## the Python, integration and Redis tests over and over, MINUTES=30 long, to find what fails rarely
	@$(SUITES) --minutes $(or $(MINUTES),30) python integration redis redis-long

fuzz: setup  ## the property tests with EXAMPLES=5000 examples each
	@$(BIN)/python .ci/fuzz.py $(or $(EXAMPLES),5000)

clean:  ## remove the environment and everything built
	rm -rf $(VENV) labextension/node_modules labextension/lib nbchannels/labextension nbchannels/server/static
	rm -rf nbchannels/widgets/static dist build test-results .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- what the targets stand on: a stamp file each, made again when what it depends on has changed ----------------------

$(VENV)/.venv:
	@$(PYTHON) .ci/check.py
	@echo "-- making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# npm builds the front end two rules below, so pip need not. Its folder has to exist, is kept out of pip's records by being
# empty at this moment, and is then linked, so that a rebuild is seen without installing again.
$(VENV)/.lab: $(VENV)/.venv $(HOUSE)
	@echo "-- installing nbchannels with JupyterLab"
	@rm -rf $(VENV)/share/jupyter/labextensions/nbchannels nbchannels/labextension
	@mkdir -p nbchannels/labextension
	@HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(PIP) --editable '.[lab]' jupyter-builder
	@rm -rf $(VENV)/share/jupyter/labextensions/nbchannels
	@ln -s ../../../../nbchannels/labextension $(VENV)/share/jupyter/labextensions/nbchannels
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	@echo "-- installing what the tests need"
	@$(PIP) $$($(BIN)/python .ci/requirements.py test)
	@touch $@

$(VENV)/.bench: $(VENV)/.test $(VENV)/.built
	@echo "-- installing what the benchmarks compare with"
	@$(PIP) $$($(BIN)/python .ci/requirements.py bench)
	@touch $@

$(VENV)/.node: $(VENV)/.venv labextension/package.json labextension/package-lock.json labextension/.npmrc
	@echo "-- installing the front end's packages"
	@cd labextension && npm ci --no-progress --loglevel=error
	@touch $@

$(VENV)/.built: $(VENV)/.lab $(VENV)/.node labextension/build.mjs labextension/tsconfig.json labextension/tsconfig.build.json $(FRONT)
	@echo "-- building the front end"
	@cd labextension && npm run --silent build
	@touch $@
