# make book · make test · make serve · make bench · make clean
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCHMARKS := training_step training_speed families explorer metrics cost_growth startup scaling time_to_quality book
export KERAS_BACKEND := tensorflow

.PHONY: book test serve bench lint clean

book: $(STAMP)
	@$(BIN)/python site/build.py --pages "$(PAGES)"

test: $(STAMP)
	@$(BIN)/python tests/stages.py

serve:
	@test -f _build/html/index.html || { echo "There is no book yet: run make book first."; exit 1; }
	@echo "The book is at http://localhost:$(PORT) (Ctrl-C ends)"
	@(sleep 1; $(BIN)/python -m webbrowser -t http://localhost:$(PORT) >/dev/null 2>&1) &
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html 2>/dev/null

bench: $(STAMP)
	for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python benchmarks/$$each.py; done

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/codespell
	$(BIN)/python site/scripts.py

clean:
	rm -rf _build .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis

# An environment's scripts and its link to the library hold the path of this folder, so a clone that was copied or moved
# gets one of its own; so does one whose Python has changed, or for which another PYTHON is asked. The stamp says for which
# folder and which version it was made.
ASKED := $(if $(filter file,$(origin PYTHON)),$(BIN)/python,$(PYTHON))
STATE := $(shell [ "$$(cat $(STAMP) 2>/dev/null)" = "$$(pwd -P): $$($(ASKED) -V 2>&1)" ] || echo anew)

.PHONY: anew
anew:

$(STAMP): pyproject.toml constraints.txt $(STATE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	@echo "[1/3] Python packages into $(VENV) (about three minutes the first time; log: _build/install.log)"
	@mkdir -p _build
	@$(if $(STATE),rm -rf $(VENV) && )$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt -e '.[book,test]' \
	  >_build/install.log 2>&1 || { tail -n 12 _build/install.log; echo "The packages are not installed."; exit 1; }
	@echo "$$(pwd -P): $$($(BIN)/python -V 2>&1)" >$@
