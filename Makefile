# Each target does its own set-up. `make` alone lists them.
SHELL := bash
PYTHON ?= python3
Q ?= A bus had 31 passengers. At the next stop 12 got off and 5 got on. How many passengers are on the bus now?
BIN := .venv/bin

.PHONY: help solve time test check train-pair
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

.venv/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/full: .venv/light
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@touch $@

solve: .venv/light ## solve a word problem: make solve Q="Tom has 3 bags of 12 apples. How many apples does he have?"
	@$(BIN)/socratic solve $(call quoted,$(value Q))

test: .venv/full ## run the tests
	$(BIN)/python -m pytest

check: .venv/full ## format, lint, types, tests
	$(BIN)/ruff format --check socratic tests && $(BIN)/ruff check socratic tests && $(BIN)/mypy && $(BIN)/python -m pytest

.venv/encoder: .venv/full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,encoder]'
	@touch $@

train-pair: .venv/encoder ## train the shipped pair anew: base, decomposer, solver (hours on two cores; resumes)
	$(BIN)/socratic train unified --config experiments/base.yaml --out runs/base
	$(BIN)/socratic train decomposer --config experiments/decomposer.yaml --out runs/decomposer
	$(BIN)/socratic train solver --config experiments/solver.yaml --out runs/solver
	mkdir -p runs/pair && cp -r runs/decomposer/student runs/pair/decomposer && cp -r runs/solver/student runs/pair/solver

time: .venv/light ## cold time to a full answer, five runs
	@for run in 1 2 3 4 5; do ( time $(BIN)/socratic solve $(call quoted,$(value Q)) > /dev/null ) 2>&1 | grep real; done

# The question in single quotes, whatever it holds.
quoted = '$(subst ','\'',$(1))'
