# Thin on purpose: each target is one or two commands. Everything is installed into .venv by pip.
PYTHON ?= python3
BIN := .venv/bin
# Debian's python3 has no ensurepip of its own: the venv is made without pip and filled by the machine's pip.
VENV = test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
PIP = $(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check

.PHONY: run test check bench packages
.DEFAULT_GOAL := run

run: .venv/.run-stamp
	@exec $(BIN)/callgate run

test: .venv/.dev-stamp packages
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

check: .venv/.dev-stamp
	$(BIN)/ruff check .
	$(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/.dev-stamp packages
	$(BIN)/python -m tests.bench

# SIPp and a Redis that is killed and stopped belong to the tests only; the gateway itself needs neither.
packages:
	@command -v sipp >/dev/null && command -v redis-server >/dev/null || \
	{ test "$$(id -u)" = 0 && apt-get update -q && apt-get install -qy --no-install-recommends sip-tester redis-server; } || \
	{ echo "the tests need SIPp and redis-server: apt-get install sip-tester redis-server" >&2; exit 1; }

.venv/.run-stamp: pyproject.toml
	$(VENV)
	$(PIP) -e .
	@touch $@

.venv/.dev-stamp: pyproject.toml
	$(VENV)
	$(PIP) -e '.[dev]'
	@touch $@ .venv/.run-stamp
