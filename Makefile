# The one interface. `make demo` and `make test` set up everything that they need by themselves.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: help setup demo test check bench figure4 ablations gym_v5 figures report clean

help:
	@echo "make demo     set up, train cart-pole and swimmer, draw their learning curves"
	@echo "make test     set up, run the tests"
	@echo "make check    set up, lint, types, layers"
	@echo "make bench    set up, measure speed against the physics engine's own"
	@echo "make figure4  set up, run what is missing of Figure 4 on all cores: many hours"
	@echo "make ablations, make gym_v5  likewise of experiments/ablations.yaml, experiments/gym_v5.yaml"
	@echo "make figures  set up, make figures and tables from stored results, without training"
	@echo "make report   set up, write results/report.html: all that is stored, in one file"

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

ablations gym_v5: setup
	$(BIN)/trpo-repro sweep $@ threads=1 hydra/launcher=joblib

figures: setup
	$(BIN)/trpo-repro curves results/runs/*/single_path --output results/figures/single_path.png
	$(BIN)/trpo-repro figures
	$(BIN)/trpo-repro tables
	$(BIN)/trpo-repro claims

report: setup
	$(BIN)/trpo-repro report

clean:
	rm -rf $(VENV) demo build dist
