# Two commands on a fresh machine with python3 >= 3.11, git and make: `make demo` and `make test`.
# Works with the make of macOS (3.81) too, hence no .ONESHELL and no .SHELLFLAGS.

SHELL  := bash
PYTHON ?= python3
# These ask a trained or exported model: one file at a time, with MODEL.
ASKING := $(addprefix benchmarks/,cold.py latency.py serving.py serving_faults.py soak.py)
BENCH  ?= $(filter-out benchmarks/pairs.py $(ASKING),$(sort $(wildcard benchmarks/*.py)))

BIN    := .venv/bin

# uv installs in a fraction of pip's time; where it cannot be had, pip does the same. Compiled now,
# not at the first start: and where Python may not write what it compiled, torch takes 3 s more in
# every process.
# The constraints bind the build backend too (-b, PIP_CONSTRAINT).
define install
	@if [ -x $(BIN)/uv ]; then \
		$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
			-c constraints.txt -b constraints.txt -e '$(1)'; \
	else \
		PIP_CONSTRAINT='$(CURDIR)/constraints.txt' $(BIN)/python -m pip install --quiet -e '$(1)'; \
	fi
endef

define checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
endef

# A test on every core; who is done takes from the others.
spread := -n logical --dist worksteal

# Prerequisites install before a recipe is expanded: INSTALLED is set in between.
BEGIN := $(shell date +%s)
time   = printf 'time    %d s installing, %d s $(1)\n' \
	$$(($(INSTALLED) - $(BEGIN))) $$(($$(date +%s) - $(INSTALLED)))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check nightly docs bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: .venv/.base  ## install, train on real handwritten digits, evaluate, predict five held-out pictures
	$(eval INSTALLED := $(shell date +%s))
	@rm -rf demo
	@set -eu; \
	export SHORTCUT_CACHE='$(CURDIR)/demo/cache'; \
	run() { printf '\n$$ %s\n' "$$*"; "$$@"; }; \
	run $(BIN)/shortcut train digits --recipe digits --output demo/run; \
	run $(BIN)/shortcut evaluate demo/run/best.safetensors digits; \
	pictures=(); \
	for class in demo/cache/digits/test/*/; do \
		found=("$$class"digit-*.png); pictures+=("$${found[0]}"); \
	done; \
	run $(BIN)/shortcut predict demo/run/best.safetensors "$${pictures[@]:0:5}"
	@printf '\ncurves  demo/run/curves.png\nmodel   demo/run/best.safetensors\n'
	@$(call time,training and predicting)

test: .venv/.dev  ## install with the dev extra, then every check and every test
	$(eval INSTALLED := $(shell date +%s))
	$(checks)
	$(BIN)/python -m pytest $(spread)
	@$(call time,checks and tests)

check: .venv/.dev  ## lint, format and types, changing nothing
	$(checks)

nightly: .venv/.nightly  ## the tests that take minutes, some of them in Chromium
	$(BIN)/python -m pytest $(spread) -m nightly

docs: .venv/.dev  ## build the pages that teach, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@printf 'pages   site/index.html\n'

bench: .venv/.dev  ## benchmarks on photos of yours: make bench DATA=FOLDER [BENCH=FILE [MODEL=FILE]]
	@set -eu; for file in $(BENCH); do \
		printf '\n== %s\n' "$$file"; $(BIN)/python "$$file" '$(DATA)' $(if $(MODEL),'$(MODEL)'); \
	done

clean:  ## remove the demo, caches and .venv; never runs/
	rm -rf .venv demo site build dist .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: made again when the settings they depend on have changed.
.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'shortcut needs Python 3.11 or newer; "$(PYTHON)" is' \
			"$$($(PYTHON) --version 2>&1 || true). Name another: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@echo 'making .venv'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet -c constraints.txt uv \
		|| echo 'uv cannot be installed here; going on with pip (slower)'
	@touch $@

.venv/.base: .venv/.made pyproject.toml constraints.txt
	@echo 'installing shortcut and what it needs (PyTorch is large)'
	$(call install,.)
	@touch $@

.venv/.nightly: .venv/.dev
	@echo 'installing what the longest tests take'
	$(call install,.[nightly])
	@touch $@

.venv/.dev: .venv/.made pyproject.toml constraints.txt
	@echo 'installing shortcut, what it needs, and the tools for its tests (PyTorch is large)'
	$(call install,.[dev])
	@touch .venv/.base $@
