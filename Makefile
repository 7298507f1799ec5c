# Each target does its own set-up. `make` alone lists them.
PYTHON ?= python3
Q ?= Nora picked 24 plums. She gave 9 plums to her brother and then picked 13 more. How many plums does Nora have now?
BIN := .venv/bin

.PHONY: help solve test check train-pair
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
	@$(BIN)/socratic solve $(call quoted,$(Q))

test: .venv/full ## run the tests
	$(BIN)/python -m pytest

check: .venv/full ## format, lint, types, tests
	$(BIN)/ruff format --check socratic tests && $(BIN)/ruff check socratic tests && $(BIN)/mypy && $(BIN)/python -m pytest

train-pair: .venv/full ## train the shipped pair anew: base, decomposer, solver (hours on two cores; resumes)
	$(BIN)/socratic train unified --config experiments/base.yaml --out runs/base
	$(BIN)/socratic train decomposer --config experiments/decomposer.yaml --out runs/decomposer
	$(BIN)/socratic train solver --config experiments/solver.yaml --out runs/solver

quoted = '$(subst ','\'',$(1))'
