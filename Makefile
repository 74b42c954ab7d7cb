# Thin on purpose: each target is one or two commands. .venv is what runs: a wheel, with the path of a call compiled
# where a C compiler is (CALLGATE_COMPILE=0 make run: plain). .venv-dev has the source tree itself, always plain, and
# the tools; .venv-compiled the tests' tools and the wheel.
PYTHON ?= python3
DEV := .venv-dev/bin
WHEEL := build/wheel
SOURCES = pyproject.toml $(shell find gateway policies config -name '*.py' -o -name '*.toml' -o -name '*.csv')
# Debian's python3 has no ensurepip of its own: a venv is made without pip and filled by the machine's pip.
VENV = test -x $(1)/bin/python || $(PYTHON) -m venv --without-pip $(1)
PIP = $(PYTHON) -m pip --python $(1)/bin/python install -q --disable-pip-version-check
# The tests lie in the source tree, whose gateway/ must not come before the compiled one: ROOT comes last on the path.
COMPILED = PYTHONSAFEPATH=1 TEST_FLAVOUR=compiled .venv-compiled/bin/python -m pytest --import-mode=importlib

.PHONY: run test test-compiled check bench packages bench-packages
.DEFAULT_GOAL := run

run: .venv/.run-stamp
	@exec .venv/bin/callgate run

test: .venv-dev/.stamp .venv-compiled/.stamp packages bench-packages
	$(MAKE) --no-print-directory check
	$(DEV)/python -m pytest
	$(COMPILED) tests/unit tests/protocol tests/fuzz

test-compiled: .venv-compiled/.stamp packages bench-packages
	$(COMPILED)

check: .venv-dev/.stamp
	$(DEV)/ruff check .
	$(DEV)/mypy && $(DEV)/lint-imports --no-cache

# A good hour: every part of the benchmark. `make bench BENCH=--quick` is rough, `BENCH='--only scale'` one part.
BENCH =
bench: .venv-dev/.stamp .venv-compiled/.stamp packages bench-packages
	$(DEV)/python -m tests.bench --compiled .venv-compiled $(BENCH)

# Coverage-guided, for FUZZ_S seconds: corpus, and a finding if there is one, in var/fuzz.
FUZZ_S = 600
.PHONY: fuzz
fuzz: .venv-dev/.fuzz-stamp
	$(DEV)/python -m tests.fuzz.guided $(FUZZ_S)

# For the tests only; the gateway itself needs neither. sip-tester is SIPp. redis-tools holds the program of Redis 7
# (redis-server is a link to its redis-check-rdb) without the service that the package redis-server would start;
# without it the tests run on the Redis 6.2 of the wheel alone.
PACKAGES = sip-tester redis-tools
packages:
	@command -v sipp >/dev/null || { test "$$(id -u)" = 0 && apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES); } || \
	{ echo "the tests need SIPp; fix: as root, apt-get install $(PACKAGES)" >&2; exit 1; }

# For tests and benchmark: Kamailio with its Redis module, as a second reader and to compare with; PostgreSQL, to be an
# external server. Only the programs are wanted: a policy-rc.d that says no (101) keeps the packages from starting a
# service, and is taken away again.
COMPARED = kamailio kamailio-redis-modules postgresql
RC = /usr/sbin/policy-rc.d
bench-packages:
	@command -v kamailio >/dev/null && ls /usr/lib*/kamailio/modules/ndb_redis.so \
	/usr/lib/*/kamailio/modules/ndb_redis.so 2>/dev/null | grep -q . && \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { test "$$(id -u)" = 0 && apt-get update -q && \
	{ test -e $(RC) || { printf '#!/bin/sh\nexit 101\n' >$(RC) && chmod +x $(RC) && made=1; }; } && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(COMPARED); done=$$?; \
	test -z "$$made" || rm -f $(RC); exit $$done; } || \
	{ echo "tests and benchmark need Kamailio and PostgreSQL; fix: as root, apt-get install $(COMPARED)" >&2; exit 1; }

$(WHEEL)/.stamp: $(SOURCES)
	@echo "building Callgate: half a minute where it is compiled"
	@rm -rf $(WHEEL)
	@$(PYTHON) -m pip wheel -v --disable-pip-version-check --no-deps -w $(WHEEL) . >.build-wheel.log 2>&1 || \
	{ cat .build-wheel.log >&2; exit 1; }
	@grep -o 'callgate: plain Python.*' .build-wheel.log || true
	@mv .build-wheel.log $(WHEEL)/build.log
	@touch $@

.venv/.run-stamp: $(WHEEL)/.stamp
	$(call VENV,.venv)
	$(call PIP,.venv) $(WHEEL)/*.whl
	$(call PIP,.venv) --force-reinstall --no-deps $(WHEEL)/*.whl
	@touch $@

.venv-compiled/.stamp: $(WHEEL)/.stamp
	$(call VENV,.venv-compiled)
	$(call PIP,.venv-compiled) "$$(echo $(CURDIR)/$(WHEEL)/*.whl)[dev]"
	$(call PIP,.venv-compiled) --force-reinstall --no-deps $(WHEEL)/*.whl
	@.venv-compiled/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" | \
	{ read site && echo "$(CURDIR)" >"$$site/zz-callgate-tests.pth"; }
	@touch $@

.venv-dev/.stamp: pyproject.toml
	$(call VENV,.venv-dev)
	$(call PIP,.venv-dev) -e '.[dev]'
	@touch $@

.venv-dev/.fuzz-stamp: .venv-dev/.stamp
	$(call PIP,.venv-dev) -e '.[fuzz]'
	@touch $@
