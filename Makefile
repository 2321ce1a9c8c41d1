# The commands. `make` alone lists them; each sets up what it needs.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade --extra build
READY := $(VENV)/.installed
READY_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check fmt bench fuzz docs lock

help: ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY_DEV) ## Make the virtual environment with everything the tests and checks need

# What running it takes, and what working on it takes: two locks, the second a superset of the first.
$(READY): requirements.lock pyproject.toml
$(READY_DEV): requirements-dev.lock pyproject.toml

$(READY) $(READY_DEV):
ifdef UV
	@uv venv --quiet --allow-existing --python '>=3.11' $(VENV)
	@uv pip install --quiet --python $(BIN)/python --require-hashes -r $<
	@uv pip install --quiet --python $(BIN)/python --no-deps -e .
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glassfolio needs Python 3.11 or newer; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	@touch $@

demo: $(READY) ## Onboard a sample portfolio on real bundled prices, and keep serving
	@$(BIN)/glassfolio demo

run: $(READY) ## Serve on http://127.0.0.1:8000
	@$(BIN)/glassfolio serve

test: setup ## Run all tests
	@$(BIN)/python -m pytest

check: setup ## Lint, types, architecture, security
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/bandit -q -ll -c pyproject.toml -r src

fmt: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## Print the figures, each beside a peer in the same run
	@$(BIN)/python -m bench

fuzz: setup ## A million holdings files and ten thousand requests, with their figures
	@$(BIN)/python -m tests.fuzz

docs: setup ## Rebuild the generated pages and the pictures
	@$(BIN)/python -m docs.build
	@$(BIN)/python -m docs.screens

lock: setup ## Resolve the dependencies anew
	@$(BIN)/uv pip compile $(LOCKED) -o requirements.lock pyproject.toml
	@$(BIN)/uv pip compile $(LOCKED) --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
