# `make demo` and `make test` set everything up themselves. PYTHON=python3.13 chooses the interpreter.
# With uv: the versions of uv.lock. Without: a venv, pip and the newest versions that fit pyproject.toml.

PYTHON ?=
ARGS ?=
SLOW ?= slow

VENV := .venv
BIN := $(VENV)/bin

# The stamp says for which interpreter the environment was made; where none is asked for, any will do.
ifeq ($(strip $(PYTHON)),)
READY := $(firstword $(wildcard $(VENV)/.ready-*) $(VENV)/.ready-default)
else
READY := $(VENV)/.ready-$(notdir $(patsubst %/bin/,%,$(dir $(PYTHON))))-$(notdir $(PYTHON))
endif

# Pictures and weights for the tests that want real ones; they are skipped where there are none.
ifndef TEXJAX_TEST_DATA
ifneq ($(wildcard ../shared/.),)
export TEXJAX_TEST_DATA := $(abspath ../shared)
endif
endif

# `texjax` stands for its public modules too; the others are those that their docstrings refer to.
DOCS := texjax texjax.inits texjax.images.copies texjax.images.quilting texjax.losses.joins texjax.losses.places \
	texjax.optimizers.ranges texjax.sweeps.grids texjax.synthesis.loop texjax.synthesis.steps

.PHONY: help setup native demo test test-slow test-native audit lint format docs clean

help:
	@echo "make demo       draw an exemplar, synthesize from it, and generate more of it, into demo/"
	@echo "make test       run the tests that are quick (ARGS='-k gram' is passed on to pytest)"
	@echo "make test-slow  run the slow ones (SLOW='slow and not network' chooses by marker)"
	@echo "make test-native  compile the convolutions by oneDNN, and run their tests"
	@echo "make audit      look for known weaknesses of the installed packages, by pip-audit"
	@echo "make lint       check format, style and types"
	@echo "make format     format, and repair what can be repaired"
	@echo "make docs       pages of the API, into site/"
	@echo "make native     compile the faster convolutions for CPU (needs g++ and oneDNN: texjax[onednn], or Debian's libdnnl-dev)"
	@echo "make setup      only make the environment, in $(VENV)"
	@echo "make clean      remove everything that make made"

setup: $(READY)

native: $(READY)
	$(BIN)/python -m texjax.features.native_build

demo: $(READY)
	rm -rf demo
	$(BIN)/python experiments/exemplars.py demo
	$(BIN)/texjax synthesize demo/pebbles.png --run-dir demo/result
	$(BIN)/texjax generate weights/pebbles_generator.safetensors --run-dir demo/generated

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 $(ARGS)

# Each file has one worker, because some files have fixtures that take minutes, and Ray's tests would join each other's
# clusters. pytest ends with 5 where no test was selected.
test-slow: $(READY)
	$(BIN)/python -m pytest -m "$(SLOW)" -n auto --maxprocesses 2 --dist loadfile $(ARGS) || [ $$? -eq 5 ]

test-native: native
	$(BIN)/python -m pytest -m "slow or not slow" tests/features/test_native.py tests/features/test_native_library.py $(ARGS)

# In an environment of its own, so that its packages are not audited too.
audit: $(READY)
	$(BIN)/python -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --path $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Warnings are errors, but for the one with which jaxopt says that it is no longer maintained.
docs: $(READY)
	rm -rf site
	$(BIN)/python -W error -W "ignore:JAXopt is no longer maintained" -m pdoc -d google -o site $(DOCS)

clean:
	rm -rf $(VENV) texjax/native/*.so demo dist build site .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# uv is asked for its version because a mere wrapper of that name may be on the path.
$(READY): pyproject.toml uv.lock
	@if uv --version >/dev/null 2>&1; then \
		unset VIRTUAL_ENV; \
		UV_PROJECT_ENVIRONMENT=$(VENV) uv sync --locked $(if $(strip $(PYTHON)),--python "$(PYTHON)"); \
	else \
		fits='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; \
		for python in $(or $(strip $(PYTHON)),python3 python python3.13 python3.12 python3.11) none; do \
			if "$$python" -c "$$fits" >/dev/null 2>&1; then break; fi; \
		done; \
		if [ "$$python" = none ]; then \
			echo "texjax needs Python 3.11, 3.12 or 3.13: name one by PYTHON=/path/to/python." >&2; exit 1; \
		fi; \
		echo "No uv here: making $(VENV) with $$python and pip, which takes a minute."; \
		"$$python" -m venv --clear $(VENV) && \
		$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
		$(BIN)/python -m pip install --quiet --editable . --group dev; \
	fi
	@rm -f $(VENV)/.ready-*
	@touch $@
