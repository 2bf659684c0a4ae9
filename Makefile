# The one interface. `make demo` and `make test` set up everything that they need by themselves.
PYTHON ?= python3
VENV ?= .venv
CLUSTERS ?= .venv-clusters
BIN = $(VENV)/bin
GAMES = beam_rider|breakout|enduro|pong|qbert|seaquest|space_invaders

# pip would compile 16,000 files, of which 2,000 are ever imported: Python compiles and keeps those
# at their first import, unless the user's environment tells it not to keep them.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup demo test test-clusters check bench figure4 table1 ablations gym_v5 paper_scale figures report clean torture torture-negative

help:
	@echo "make demo     set up, train cart-pole and swimmer, draw their learning curves"
	@echo "make test     set up, run the tests"
	@echo "make test-clusters  set up apart, run sweeps under joblib, submitit, SLURM and Ray"
	@echo "make check    set up, lint, types, layers"
	@echo "make torture  set up, try to lose results, a quarter of an hour or more, write results/torture.md"
	@echo "make torture-negative  set up, break each guard and see its test fail"
	@echo "make bench    set up, measure speed against the physics engine's own: half an hour"
	@echo "make figure4  set up, run what is missing of Figure 4 on all cores: many hours"
	@echo "make table1   set up, run and evaluate what is missing of Table 1: many hours"
	@echo "make ablations, make gym_v5  likewise of experiments/ablations.yaml, experiments/gym_v5.yaml"
	@echo "make paper_scale  likewise of experiments/paper_scale.yaml, one run at a time on all cores"
	@echo "make figures  set up, make figures and tables from stored results, without training"
	@echo "make report   set up, write results/report.html: all that is stored, in one file"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/trpo-repro run task=cartpole results_dir=demo
	$(BIN)/trpo-repro run task=swimmer iterations=60 results_dir=demo
	$(BIN)/trpo-repro curves demo --output demo/learning-curves.png

test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

# Where SLURM cannot be installed or started, its tests are skipped and say so.
test-clusters: $(CLUSTERS)/.installed
	sh tests/clusters/install.sh
	$(CLUSTERS)/bin/python -m pytest -n 0 -m cluster -rs tests/clusters

# An environment of its own: Ray's launcher wants an older cloudpickle than the lock file has.
$(CLUSTERS)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(CLUSTERS)
	$(CLUSTERS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(CLUSTERS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--no-build-isolation -e '.[test,joblib,slurm,ray]'
	touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

torture: setup
	TORTURE_REPORT=results/torture.md $(BIN)/python -m pytest -n 2 -m torture tests/torture

torture-negative: setup
	$(BIN)/python -m pytest -n auto -m negative tests/torture

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

ablations gym_v5: setup
	$(BIN)/trpo-repro sweep $@ threads=1 hydra/launcher=joblib

paper_scale: setup
	$(BIN)/trpo-repro sweep paper_scale

figures: setup
	$(BIN)/trpo-repro figures
	$(BIN)/trpo-repro tables
	$(BIN)/trpo-repro claims

report: setup
	$(BIN)/trpo-repro report

clean:
	rm -rf $(VENV) $(CLUSTERS) demo build dist
