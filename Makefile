# make demo   the whole way: published weights -> engine plan -> a named photograph, beside PyTorch
# make examples   all of docs/examples on the CPU, with their answers
# make test   format, lint, types and tests, as CI runs them
# make docs   the documentation as a site, in site/
# Each makes .venv first and needs nothing but python3 (3.11 or newer) and a package index.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
DOCS_STAMP := .venv/.docs

.PHONY: demo examples test docs lint format clean

demo: $(STAMP)
	$(BIN)/python tests/demo.py

examples: $(STAMP)
	$(BIN)/python tests/examples.py

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 40

docs: $(DOCS_STAMP)
	.ci/docs

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): .ci/requirements.txt .ci/triton-requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement .ci/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement .ci/triton-requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(DOCS_STAMP): .ci/docs-requirements.txt $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $< --constraint .ci/requirements.txt
	touch $@

clean:
	rm -rf .venv build site .cache dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo.json
