# The one interface. `make demo` and `make test` set up everything that they need by themselves.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
GAMES = beam_rider|breakout|enduro|pong|qbert|seaquest|space_invaders

.PHONY: help setup demo test check bench figure4 table1 figures clean

help:
	@echo "make demo     set up, train cart-pole and swimmer, draw their learning curves"
	@echo "make test     set up, run the tests"
	@echo "make check    set up, lint, types, layers"
	@echo "make bench    set up, measure speed against the physics engine's own"
	@echo "make figure4  set up, run what is missing of Figure 4 on all cores: many hours"
	@echo "make table1   set up, run and evaluate what is missing of Table 1: many hours"
	@echo "make figures  set up, make figures and tables from stored results, without training"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/trpo-repro run task=cartpole results_dir=demo
	$(BIN)/trpo-repro run task=swimmer iterations=60 results_dir=demo
	$(BIN)/trpo-repro curves demo --output demo/learning-curves.png

test: setup
	$(BIN)/python -m pytest -n auto

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/trpo-repro bench

figure4: setup
	$(BIN)/trpo-repro sweep figure4 threads=1 hydra/launcher=joblib

table1: setup
	$(BIN)/trpo-repro random
	$(BIN)/trpo-repro sweep table1
	for run in $$(ls -d results/runs/*/*/*/seed0 | grep -E '/($(GAMES))/(single_path|vine)/'); do \
		$(BIN)/trpo-repro evaluate $$run || exit 1; \
	done
	$(BIN)/trpo-repro figures
	$(BIN)/trpo-repro tables

figures: setup
	$(BIN)/trpo-repro curves results/runs/*/single_path --output results/figures/single_path.png
	$(BIN)/trpo-repro figures
	$(BIN)/trpo-repro tables

clean:
	rm -rf $(VENV) demo build dist
