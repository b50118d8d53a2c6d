# Everything happens in this folder: a virtual environment in .venv, caches beside it. Needs python3 (3.11+), make, and venv or pip.
PY ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= dev
export PIP_CACHE_DIR ?= $(CURDIR)/.tools/pip-cache

.PHONY: demo test check bench mutants clean help

help: ## what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## */  make \1\t/'

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Postroom needs Python 3.11 or later; name one with: make PY=python3.11 ...")'
	$(PY) -m venv $(VENV) || { rm -rf $(VENV); $(PY) -m pip install -q --target .tools virtualenv && PYTHONPATH=.tools $(PY) -m virtualenv -q $(VENV); }
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(VENV)/.ready ## the main job: real messages become activities, activities become mail
	@$(BIN)/postroom demo

test: $(VENV)/.ready ## the whole test suite, features included
	$(BIN)/python -m pytest -n $${POSTROOM_WORKERS:-2} --dist loadfile --no-loadscope-reorder

check: $(VENV)/.ready ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.ready ## ratios against others, measured side by side
	$(BIN)/python -m benchmarks

mutants: $(VENV)/.ready ## mistakes put into the rules, one at a time: does a test see each?
	$(BIN)/python -m tests.mutation

clean: ## forget the environment and every cache
	rm -rf $(VENV) .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
