# Everything here is the same on a bare machine and on a developer's: Python 3.11 or newer is all that it needs.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup up test verify faults chaos mutations check bench docs clean

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*##\(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(VENV)/setup.stamp  ## install Anneal in .venv

up: setup  ## start Anneal here, with a first job that learns to read digits
	@$(BIN)/anneal up --first-job

test: $(VENV)/dev.stamp  ## run the tests; PYTEST_ARGS adds to the command
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

verify: $(VENV)/dev.stamp  ## run every test, the exhaustive ones too
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "verify or not verify" $(PYTEST_ARGS)

faults: $(VENV)/dev.stamp  ## make every fault of docs/faults.md happen
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "faults or not faults" $(PYTEST_ARGS) \
	  $$(grep -o 'tests/[a-z_/]*\.py::[a-z0-9_]*' docs/faults.md | sort -u)

chaos: $(VENV)/dev.stamp  ## kill, stop and cut off everything for MINUTES, as SEED says; REPORT=folder keeps the counts
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(if $(REPORT),--report $(REPORT))

mutations: $(VENV)/dev.stamp  ## break one thing after the other in a copy, and see that the tests notice
	$(BIN)/python -m tests.mutations

check: $(VENV)/dev.stamp  ## format, lint, types, architecture, dependencies, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m docs.library --check
	$(BIN)/python -m docs.pictures --check
	$(BIN)/python -m docs.generate --check

docs: $(VENV)/dev.stamp  ## write the generated documents anew
	$(BIN)/python -m docs.library
	$(BIN)/python -m docs.pictures
	$(BIN)/python -m docs.generate

bench: $(VENV)/dev.stamp  ## measure what the README promises; DEVICE=cuda where there is one
	@for script in $$(grep -l '^if __name__' benchmarks/*.py); do \
	  echo "$$script"; \
	  $(BIN)/python "$$script" $$(grep -q '"--device"' "$$script" && echo "--device $(DEVICE)") || exit 1; \
	done

clean:  ## remove what was built and cached; state in ANNEAL_HOME stays
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Tests wait for real servers and trainers half of their time: three at a time keep two cores busy.
WORKERS ?= 3

# A machine may be told to keep no compiled code, which each of the hundreds of processes that tests start would then
# compile anew.
export PYTHONDONTWRITEBYTECODE :=

DEVICE ?= cpu
MINUTES ?= 10
SEED ?= 7

# The stamps are younger than what they were made from, so a second `make up` installs nothing. A version manager may
# have a command for a Python that it does not have, so each is asked for its version.
$(VENV)/bin/python:
	@for python in python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo 'Anneal needs Python 3.11 or newer with venv; on Debian: apt-get install python3-venv' >&2; exit 1

# A dependency group can be installed since pip 25.1.
$(VENV)/setup.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[worker,embedded]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/setup.stamp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	@touch $@
