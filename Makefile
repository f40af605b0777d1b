# Everything is done in .venv; nothing is installed beside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORK := $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
# The lists are closed under what they need, so nothing is left to resolve:
# pip would judge `coverage[toml]` by the newest release, not by the pinned.
PIP_FLAGS := --disable-pip-version-check --require-hashes --no-deps
# Where there is memory for it, tests write there: each commit of theirs
# would wait for the disk.
SCRATCH := $(shell test -w /dev/shm && echo /dev/shm || echo /tmp)
TESTS := TMPDIR=$(SCRATCH) $(BIN)/python -m pytest
# With it, each of hundreds of servers and workers would compile all modules.
unexport PYTHONDONTWRITEBYTECODE
# What starts servers and browsers takes longest, and two thirds of that when
# no lines are counted; the others reach each line, also without asvs.
OUTSIDE := $(addprefix tests/,app/contract asvs browser docs e2e)
USUAL := -m "not torture and not idle"
WITHIN := $(addprefix --ignore=,$(OUTSIDE))
# On SQLite, and without what takes seconds for one test.
FAST := -m "not (torture or idle or slow or postgresql)"
# Without programs, PostgreSQL and races: what a change of one module breaks.
QUICK := tests/unit tests/stores -p no:schemathesis --hypothesis-profile=quick \
	$(FAST) \
	-k "not (server or process or concurrent or TRUNCATE or strong_profile or until_stopped or cut_off)" \
	$(addprefix --ignore=tests/,unit/cli unit/peers unit/test_database_files.py unit/test_lifetime.py $(addprefix stores/test_,state_machine.py login_races.py lock_order.py upgrade.py change_token.py schema_beside_application.py))
CODE := api models vestibule tests bench examples docs

.PHONY: help run install setup quick test torture mutants lint types check bench bench-peers docs texts screenshots lock clean

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

$(VENV)/.service: requirements.txt
	@echo "Installing into $(VENV). It takes a minute the first time; pip names each package:"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.txt
	@touch $@

$(VENV)/.develop: requirements.txt requirements-dev.txt
	@echo "Installing into $(VENV). It takes some minutes the first time; pip names each package:"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.txt -r requirements-dev.txt
	@$(BIN)/python -m pip check
	@touch $(VENV)/.service $@

run: $(VENV)/.service  ## Serve on 127.0.0.1:5000, on an SQLite file here.
	@API_HOST=$${API_HOST:-127.0.0.1} API_PORT=$${API_PORT:-5000} \
	SECURITY_PROFILE=$${SECURITY_PROFILE:-standard} \
	AUTH_TYPE=$${AUTH_TYPE:-session_db_auth} \
	SESSION_NAME=$${SESSION_NAME:-_my_session_id} \
	SESSION_DURATION=$${SESSION_DURATION:-43200} \
	WEB_PAGES=$${WEB_PAGES:-on} \
	exec $(BIN)/python -m api.v1.app

install: $(VENV)/.service  ## Make .venv with what the service needs, start nothing.

setup: $(VENV)/.develop  ## Make .venv with all requirements, start nothing.

quick: $(VENV)/.develop  ## Run the fast tests: modules and stores, on SQLite.
	$(TESTS) -n 2 $(QUICK)

test: $(VENV)/.develop  ## Run the tests of a few minutes: without whole servers, on SQLite.
	$(TESTS) -n $(WORK) $(FAST) $(WITHIN)

torture: $(VENV)/.develop  ## Run the long tests: kills, races, pauses (hours).
	$(TESTS) -m torture

mutants: $(VENV)/.develop  ## Check that the tests notice faults put into a copy of the code (an hour).
	TMPDIR=$(SCRATCH) $(BIN)/python -m tests.mutants.run $(OPTIONS)

lint: $(VENV)/.develop  ## Check style and the order of imports.
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/pycodestyle --max-line-length=79 $(CODE)
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.develop  ## Check types, strictly.
	$(BIN)/mypy

# Idle servers wait for twelve minutes and use no CPU, so their tests run
# beside all others. pytest also fails if it runs no test.
check: $(VENV)/.develop  ## All of CI: lint, types, tests with coverage.
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	$(TESTS) -m idle tests/e2e/idle >"$$log" 2>&1 & idle=$$!; \
	$(MAKE) --no-print-directory lint types all-tests; code=$$?; \
	test $$code -eq 0 || kill -INT $$idle 2>/dev/null; \
	wait $$idle || code=1; cat "$$log"; exit $$code

.PHONY: all-tests
all-tests: $(VENV)/.develop
	rm -f .coverage .coverage.*
	$(TESTS) -n $(WORK) $(USUAL) $(WITHIN) --cov --cov-report=
	$(BIN)/python -m tests.repo.coverage_floors
	$(TESTS) -n $(WORK) $(USUAL) $(OUTSIDE)

bench: $(VENV)/.develop  ## Measure, and print one table of ratios.
	$(BIN)/python -m bench

bench-peers: $(VENV)/.develop  ## Measure beside other libraries, installed outside the tree.
	$(BIN)/python -m bench.peers $(OPTIONS)

docs: $(VENV)/.develop  ## Write the guide as a site to docs/_build/index.html.
	$(BIN)/sphinx-build -W --keep-going -q -d docs/_build/.doctrees docs docs/_build

texts: $(VENV)/.develop  ## Take the pages' texts into the catalogue, and compile it.
	$(BIN)/python -m tests.repo.texts

screenshots: $(VENV)/.develop  ## Take the pictures of the pages anew, by Chromium.
	mkdir -p docs/screenshots
	SCREENSHOTS=docs/screenshots $(TESTS) tests/browser/test_screenshots.py

lock:  ## Write the requirement files with hashes, from the .in files.
	@test -x $(VENV)/lock/bin/pip-compile || { $(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet pip-tools; }
	$(VENV)/lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.txt requirements.in
	$(VENV)/lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements-dev.txt requirements-dev.in
	for list in requirements requirements-own; do $(VENV)/lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o bench/peers/$$list.txt bench/peers/$$list.in || exit 1; done

clean:  ## Remove what was built; the database stays.
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
