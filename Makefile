# `make help` lists what there is. Everything is installed into .venv, in the versions of constraints.txt.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: run chat test check bench deep clean help

# What `make run` works on: a Data Card and its time budget.
CARD ?= breast_cancer
TIME ?= 60s
# What `make bench` measures beside its own data: a folder of data sets, see benchmarks/tabular.py.
DATA ?=

# XGBoost comes in a small CPU build and in one with NVIDIA's libraries. `make ACCEL=cpu` or `make ACCEL=gpu` overrules.
ACCEL ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
# Where pip's usual index has PyTorch with GPU libraries only, name an index with CPU builds: make TORCH_INDEX=URL deep
TORCH_INDEX ?=

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
LOCK := pyproject.toml constraints.txt

export PIP_CONSTRAINT := constraints.txt
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# A stamp is written only after its installation succeeded, so that an interrupted one is simply repeated.
VENV := .venv/.made
CORE := .venv/.core-$(ACCEL)
DEV := .venv/.dev-$(ACCEL)
DEEP := .venv/.deep-$(ACCEL)

run: $(CORE) ## train on a built-in data set: CARD=breast_cancer TIME=60s
	@$(BIN)/automl-gpt run $(CARD) --time $(TIME) --yes

chat: $(CORE) $(DEEP) ## open the chat
	@$(BIN)/automl-gpt chat

test: $(DEV) $(DEEP) ## run the tests: PYTEST_ARGS='-k journal'
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(PYTEST_ARGS)

check: $(DEV) $(DEEP) ## format, lint and types checked, then the tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(MAKE) --no-print-directory test

bench: $(CORE) ## measure start, memory, scores and the controller's side; DATA=FOLDER compares with the peers on its data sets
	@$(BIN)/python -m benchmarks.latency
	@$(BIN)/python -m benchmarks.synthetic
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.controller
	@$(BIN)/python -m benchmarks.failures
	@if [ -n "$(DATA)" ]; then $(BIN)/python -m benchmarks.tabular --data "$(DATA)" --hash 24; fi

deep: $(DEEP) ## install what texts and images need

clean: ## remove .venv, caches and build outputs; models and journals stay
	@rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-14s%s\n", $$1, $$2}'

$(VENV):
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11 or newer was found: install one, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv >/dev/null 2>&1 || \
		{ echo "$(PYTHON) can't make a virtual environment: on Debian and Ubuntu, install python3-venv" >&2; exit 1; }
	@touch $@

# Both builds of XGBoost fill the same folder, so the other one has to go before this one comes.
$(CORE): $(LOCK) | $(VENV)
	@echo "Installing AutoML-GPT and its packages into .venv ($(ACCEL) build, about a minute) ..." >&2
	@rm -f .venv/.core-*
	@$(BIN)/python -m pip uninstall -qq -y $(if $(filter gpu,$(ACCEL)),xgboost-cpu,xgboost) 2>/dev/null
	@$(PIP) -e ".[$(ACCEL)]"
	@touch $@

$(DEV): $(LOCK) | $(CORE)
	@echo "Installing what the checks need ..." >&2
	@$(PIP) -e ".[$(ACCEL),dev]"
	@touch $@

$(DEEP): $(LOCK) | $(CORE)
	@echo "Installing PyTorch and what texts and images need (a minute or more) ..." >&2
	@[ -z "$(TORCH_INDEX)" ] || $(PIP) --no-deps --index-url $(TORCH_INDEX) torch
	@$(PIP) -e ".[$(ACCEL),deep,onnx]"
	@touch $@
