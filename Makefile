# Regional gateway. The two commands: make demo, make test.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?=
JOBS ?= 2

.PHONY: demo serve test coverage check lint compiled compiled-check wheel bench interop campaign golden format conformance locks clean

# --- environments -----------------------------------------------------------------------------

# The runtime environment, hash for hash what requirements.lock says. The lock is complete, so pip
# resolves nothing (--no-deps): a release that came out since cannot move in beside a pin. Whether
# the lock is complete, pip check says.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --no-deps -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $@

# The same with the test extras.
$(VENV)/.test: requirements-dev.lock $(VENV)/.runtime
	$(PIP) --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip check
	@touch $@

.venv: $(VENV)/.runtime

# --- the two commands -------------------------------------------------------------------------

demo: $(VENV)/.runtime
	$(BIN)/python -m gateway demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

# The same with the lines that no test reaches; it takes about a third longer.
coverage: $(VENV)/.test
	$(MAKE) test PYTEST_ARGS='--cov --cov-report=term:skip-covered $(PYTEST_ARGS)'

# --- everything else --------------------------------------------------------------------------

serve: $(VENV)/.runtime
	rm -rf build/demo && mkdir -p build
	$(BIN)/python -m gateway init build/demo --demo
	$(BIN)/python -m gateway serve --config build/demo/gateway.toml

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(MAKE) test

# The readers and staging compiled ahead with mypyc: a copy of the package in build/compiled, which runs in the
# place of the sources. Without a C compiler what follows runs the sources, and says so.
COMPILED := build/compiled
AHEAD := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/$(COMPILED):$(CURDIR)
HAS_CC := $(shell command -v cc 2>/dev/null || command -v gcc 2>/dev/null || command -v clang 2>/dev/null)

compiled: $(VENV)/.test
ifeq ($(HAS_CC),)
	@echo "no C compiler: the readers run as they are, and take one and a half to two times as long"
else
	$(BIN)/python hatch_build.py $(COMPILED)
endif

# The tests of what is compiled, as it runs in production.
compiled-check: compiled
	$(if $(HAS_CC),COMPILED=1) $(AHEAD) $(BIN)/python -m pytest --import-mode=append \
		-n $(JOBS) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS) \
		tests/standardize tests/wire tests/golden tests/intake tests/record tests/consent

# A wheel for this Python and this platform, readers compiled.
wheel: $(VENV)/.test
	GATEWAY_COMPILED=1 $(BIN)/python -m hatchling build -t wheel -d build/wheel

bench: compiled
	$(AHEAD) $(BIN)/python -m bench $(if $(PEER),--peer)

interop: $(VENV)/.test
	$(BIN)/python -m conformance.peers.ipf.run
	$(BIN)/python -m conformance.peers.hapi.run

campaign: $(VENV)/.test
	CAMPAIGN=1 $(BIN)/python -m pytest -m campaign $(PYTEST_ARGS)

golden: $(VENV)/.test
	GOLDEN=1 $(BIN)/python -m pytest tests -k golden $(PYTEST_ARGS)

conformance: $(VENV)/.runtime
	$(BIN)/python -m conformance --target $(URL) $(ARGS)

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Resolve the locks anew. They carry hashes and no address.
locks:
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml \
		--extra build --extra test -o requirements-dev.lock --quiet --upgrade
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml \
		--extra build -c requirements-dev.lock -o requirements.lock --quiet

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
