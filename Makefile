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
	$(BIN)/mypy && $(BIN)/lint-imports --no-cache

bench: .venv/.dev-stamp packages
	$(BIN)/python -m tests.bench

# For the tests only; the gateway itself needs neither. sip-tester is SIPp. redis-tools holds the program of Redis 7
# (redis-server is a link to its redis-check-rdb) without the service that the package redis-server would start;
# without it the tests run on the Redis 6.2 of the wheel alone.
PACKAGES = sip-tester redis-tools
packages:
	@command -v sipp >/dev/null || { test "$$(id -u)" = 0 && apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES); } || \
	{ echo "the tests need SIPp; fix: as root, apt-get install $(PACKAGES)" >&2; exit 1; }

.venv/.run-stamp: pyproject.toml
	$(VENV)
	$(PIP) -e .
	@touch $@

.venv/.dev-stamp: pyproject.toml
	$(VENV)
	$(PIP) -e '.[dev]'
	@touch $@ .venv/.run-stamp
