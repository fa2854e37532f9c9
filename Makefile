# Two commands on a machine that has only Python and make:
#   make demo   prunes the two tables in data/ and trains models on what is left
#   make test   runs the whole suite
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export KERAS_BACKEND ?= jax
# on few cores, threads inside threads cost more than they give
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint format bench clean

demo: $(VENV)/demo.stamp
	$(BIN)/python notebooks/demo.py

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# FEATPRUNE_DATA names the folder with the real tables; for single rows call the script itself
bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/svm_rfe.py --write

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/made.stamp:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/demo.stamp: $(VENV)/made.stamp setup.cfg constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[keras]" jax
	touch $@

$(VENV)/test.stamp: $(VENV)/made.stamp setup.cfg constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	$(BIN)/python -m pip check
	touch $@
