# Everything a newcomer types: both commands make their own virtual environment when it is missing.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo quick quick-files quick-numbers test nightly check install clean

demo: $(READY)  ## fit, evaluate and recommend on the embedded sample
	@$(BIN)/recsys-ae fit mult-vae --data sample --epochs 60 --batch-size 100 --out demo/model --overwrite
	@$(BIN)/recsys-ae evaluate demo/model
	@$(BIN)/recsys-ae recommend demo/model --k 10 --out demo/top10.csv --overwrite
	@echo
	@echo "The model is in demo/model, the top-10 lists of all users in demo/top10.csv,"
	@echo "the course of the training in mlflow.db. What to type next:"
	@echo "  . $(BIN)/activate"
	@echo "  recsys-ae similar demo/model 1 2              # items like items 1 and 2"
	@echo "  recsys-ae models                              # what else can be fitted"
	@echo "  recsys-ae fit mult-vae --data ml-1m           # real data: downloads MovieLens 1M"
	@echo "  recsys-ae fit ease --data your-ratings.csv    # your own"
	@echo "  mlflow ui --backend-store-uri sqlite:///mlflow.db"

quick: $(READY)  ## ruff, mypy, and the tests of the lower floors: under a minute on two cores
	@$(MAKE) --no-print-directory --jobs=2 quick-files check quick-numbers

quick-files: $(READY)
	$(BIN)/pytest -m "not slow and not nightly" tests/spec tests/storage tests/compatibility tests/data \
		--ignore=tests/data/test_download.py --ignore=tests/data/synthetic \
		--ignore=tests/data/readers/test_read_generated.py --ignore=tests/data/readers/test_cache.py

quick-numbers: $(READY)
	$(BIN)/pytest -m "not slow and not nightly" tests/nn tests/ranking tests/test_metrics.py \
		tests/test_architecture.py tests/test_layout.py

test: check  ## ruff, mypy --strict, pytest
	$(BIN)/pytest

nightly: $(READY)  ## what takes minutes and gigabytes
	$(BIN)/pytest -m nightly

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
	rm -rf $(VENV) demo build dist *.egg-info
