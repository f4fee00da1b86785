# Each target sets up what it needs: a virtual environment in .venv with the pinned packages of requirements.lock.
# PYTHON chooses the interpreter (3.11 or newer): make test PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FOR ?= 60s

.PHONY: help setup demo test test-long lint format bench lock clean

help:
	@echo "make demo       everything for real on throw-away folders against a simulated Plex ($(FOR); FOR=0 runs until Ctrl-C)"
	@echo "make test       style, types and tests"
	@echo "make test-long  the longer tests: killed again and again, installed as every kind of package"
	@echo "make lint       style and types only"
	@echo "make format     put the source into the one format"
	@echo "make bench      the benchmarks"
	@echo "make lock       pin the newest packages in requirements.lock"
	@echo "make clean      remove everything that make made"

setup: $(READY)

# No package of ours is downloaded: the project itself is installed from this folder, in place.
$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)
	$(BIN)/ondeckd demo --for $(FOR)

test: lint
	$(BIN)/pytest --numprocesses 3

test-long: $(READY)
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m long

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# One file for all supported Pythons; uv is needed for this only.
lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev --upgrade --no-emit-index-url \
		--no-emit-find-links --no-annotate --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
