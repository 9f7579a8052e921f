# make book · make test · make serve · make bench · make clean
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PAIR := -n 2 --dist loadfile  # two at a time; a file's tests and a notebook's cells in order
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest  # so that the two do not wait for each other's threads
BENCHMARKS := training_step training_speed metrics cost_growth startup scaling time_to_quality book
export KERAS_BACKEND := tensorflow

.PHONY: book test serve bench lint clean

book: $(STAMP)
	@$(BIN)/python site/build.py

test: $(STAMP)
	@echo "Unit tests, doctests, checks of the book's files"
	$(PYTEST) gan_utils tests --ignore tests/site $(PAIR) --durations=5 --cov gan_utils --cov-report=term:skip-covered --cov-fail-under=95
	@echo "Every notebook, every cell, at the smoke budget"
	GAN_BOOK_BUDGET=smoke $(PYTEST) chapters --nbval-lax --nbval-current-env --nbval-cell-timeout=300 $(PAIR) --durations=5
	@echo "Every page in a browser"
	$(PYTEST) tests/site -n 2 --dist worksteal -rs --durations=5

serve:
	@test -f _build/html/index.html || { echo "There is no book yet: run make book first."; exit 1; }
	@echo "The book is at http://localhost:$(PORT) (Ctrl-C ends)"
	@(sleep 1; $(BIN)/python -m webbrowser -t http://localhost:$(PORT) >/dev/null 2>&1) &
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html 2>/dev/null

bench: $(STAMP)
	for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python benchmarks/$$each.py; done

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/codespell

clean:
	rm -rf _build .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	@echo "[1/3] Python packages into $(VENV) (about three minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt -e '.[book,test]' \
	  | { grep --line-buffered -E '^(Collecting|Installing collected|Successfully)' || true; } | cut -c 1-100
	@touch $@
