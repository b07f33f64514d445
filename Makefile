# Every target does its own set-up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test lint corpus peers clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[lab]" --group dev
	touch $@

setup: $(VENV)/.ready ## a virtual environment with pinned versions

demo: setup ## a sick network on real data, diagnosed, and its mended twin
	$(BIN)/gradoctor demo

test: setup ## the whole suite
	$(BIN)/python -m pytest -n 2

lint: setup ## style, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

corpus: setup ## every script of the corpus under gradoctor, and docs/corpus.md; goes on where it stopped
	$(BIN)/python -m corpus --page

peers: setup ## other tools on the reporting half of the corpus; then make corpus puts them on its page
	$(BIN)/python -m pip install --quiet --no-deps --target .gradoctor/peers -r corpus/peers/requirements.txt
	$(BIN)/python -m corpus.peers

clean: ## remove what the targets made
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
