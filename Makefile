# Commands of the repository. Each of them makes the virtual environment if it is missing.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo quick quick-files quick-numbers test nightly gpu mutants check install clean

demo: $(READY)  ## fit, evaluate and recommend on the embedded sample
	@$(BIN)/recsys-ae fit mult-vae --data sample --out demo/model --overwrite
	@$(BIN)/recsys-ae evaluate demo/model
	@$(BIN)/recsys-ae recommend demo/model --k 10 --out demo/top10.csv --overwrite
	@echo
	@echo "The model is in demo/model, the top-10 lists of all users are in demo/top10.csv,"
	@echo "and the training run is in mlflow.db. Next:"
	@echo "  . $(BIN)/activate"
	@echo "  recsys-ae similar demo/model 1 2              # items similar to 1 and 2"
	@echo "  recsys-ae models                              # list of all models"
	@echo "  recsys-ae fit mult-vae --data ml-1m           # real data: downloads MovieLens 1M"
	@echo "  recsys-ae fit ease --data your-ratings.csv    # your own ratings"
	@echo "  mlflow ui --backend-store-uri sqlite:///mlflow.db"

quick: $(READY)  ## ruff, mypy, and the quick tests: about a minute on two cores
	@$(MAKE) --no-print-directory --jobs=2 quick-files check quick-numbers

quick-files: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow and not nightly" tests/spec tests/storage tests/compatibility tests/data

quick-numbers: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow and not nightly" tests/nn tests/ranking tests/metrics \
		tests/test_architecture.py tests/test_layout.py

test: check  ## ruff, mypy --strict, pytest on all cores, with one thread each
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

nightly: $(READY)  ## tests that need minutes and gigabytes
	$(BIN)/pytest -m nightly

gpu: $(READY)  ## on a machine with a GPU: its tests and its measurements, 12 minutes at most
	experiments/speed/first_hour.sh --python $(BIN)/python

mutants: $(READY)  ## mutation tests of metrics, losses, splits, ranking and training: hours, on request only
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	OMP_NUM_THREADS=1 $(BIN)/mutmut run $(if $(MUTANTS),'$(MUTANTS)')
	$(BIN)/mutmut results

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(READY)

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo build dist mutants *.egg-info
