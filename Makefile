# `make run`: the main job on the bundled mock.   `make test`: everything that CI runs.
# Needs Python >= 3.11, git and make; the rest goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: run test mutation format docs clean

run: $(STAMP)
	$(BIN)/testcard run

# Four workers even on two cores: most tests wait for servers that wait.
test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 4 --dist worksteal

# Every fault of the mock against the whole check; about twelve minutes. Writes docs/mutation-score.md.
mutation: $(STAMP)
	$(BIN)/python benchmarks/mutation.py --write

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages that are made from the catalogue and the command line.
docs: $(STAMP)
	$(BIN)/python docs/make.py

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("testcard needs Python 3.11 or newer; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable . --group dev
	touch $(STAMP)

clean:
	rm -rf .venv build dist
