# Every target installs what it needs into $(VENV) first, and again when pyproject.toml changes.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two: some tests build Verilog, and that starts processes of its own.
JOBS ?= 2
PYTEST := $(BIN)/pytest -n $(JOBS)
FILES := bitweight tests

.PHONY: help demo test install check lint types fast verify browser bench docs format clean

help:
	@echo 'make demo    install, then run the shipped example through a tensor engine'
	@echo 'make test    install with the tools, then run every test'
	@echo 'make check   lint, types and fast tests: before each commit'
	@echo 'make verify  model against RTL: lockstep and cocotb'
	@echo 'make browser the pages of reports, opened in Chromium'
	@echo 'make bench   the tests that measure time; wants the machine to itself'
	@echo 'make docs    the generated pages of docs/'
	@echo 'make format  rewrite the files as the formatter wants them'
	@echo 'make clean   remove $(VENV) and what tools left behind'

demo: $(VENV)/.core
	$(BIN)/bitweight simulate systolic_os/carry_save

test: install
	$(PYTEST) -m 'not bench' --doctest-modules $(FILES)

install: $(VENV)/.dev

check: lint types fast

lint: install
	$(BIN)/ruff check $(FILES)
	$(BIN)/ruff format --check $(FILES)

types: install
	$(BIN)/mypy
	$(BIN)/basedpyright

fast: install
	$(PYTEST) -m 'not slow and not bench and not browser' --doctest-modules $(FILES)

verify: install
	$(PYTEST) -m 'not bench' tests/rtl tests/verify

browser: install
	$(PYTEST) -m browser tests/reports

bench: install
	$(BIN)/pytest -s -m bench tests

docs: install
	$(BIN)/python -m bitweight.reports.engine_cycles docs/cycles.md
	$(BIN)/python -m bitweight.reports.digit_clocks docs/column_engines.md
	$(BIN)/python -m bitweight.reports.weight_formats docs/formats.md
	$(BIN)/python -m bitweight.reports.fpga docs/fpga.md
	$(BIN)/python -m bitweight.reports.engine_ratios docs/engine_ratios.md
	$(BIN)/python -m bitweight.reports.whole_models docs/whole_models.md

format: install
	$(BIN)/ruff check --fix $(FILES)
	$(BIN)/ruff format $(FILES)

clean:
	rm -rf $(VENV) build dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Editable: an edit counts at once. What a user installs, the wheel, has its own test in .ci/run.
$(VENV)/.core: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
	  f"error: bitweight needs Python 3.11 or newer, not {v[0]}.{v[1]}; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
