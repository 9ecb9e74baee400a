# Two commands are all a newcomer needs: `make up` and `make test`. `make` alone lists the rest.

VENV := .venv
BIN := $(VENV)/bin

# The first of these that is a supported Python; `make up PYTHON=/path/to/python3.12` overrides it.
# When none fits, python3 is kept, and scripts/preflight.py says what is wrong with it.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& { echo "$$p"; exit; }; done; echo python3)
endif

# Copies of the lock files that were installed: pip runs only when one of them has changed.
RUNTIME_STAMP := $(VENV)/installed-requirements.txt
DEV_STAMP := $(VENV)/installed-requirements-dev.txt

CLIENTS := $(VENV)/clients
CLIENTS_STAMP := $(CLIENTS)/installed-requirements-clients.txt
CLIENTS_JS := tests/clients/js

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-header

SCHEMA := docs/reference/openapi.yaml
# Checks look at the code, not at the data and settings of whoever runs them.
MANAGE_APART := env -u DATABASE_URL LAKEHOUSE_DATA_DIR=$(VENV)/checks $(BIN)/python manage.py

# A worker more than there are cores, since tests wait for processes they start;
# `make test PYTEST_ARGS="-x tests/vectors"` replaces the options.
PYTEST_ARGS ?= -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help up install install-dev install-clients serve test test-postgres chaos bench bench-distillation bench-drift bench-catalog stress lint schema lock

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: install ## Install, migrate, load the demo index and serve on http://127.0.0.1:8000
	@exec $(BIN)/python manage.py up

install: ## Make .venv and install what requirements.txt pins
	@cmp -s requirements.txt $(RUNTIME_STAMP) && $(BIN)/python -c '' 2>/dev/null || { \
		$(PYTHON) scripts/preflight.py \
		&& { $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); } \
		&& echo "Installing what requirements.txt pins (hnswlib is compiled here, which takes a minute) ..." \
		&& $(PIP) -r requirements.txt \
		&& cp requirements.txt $(RUNTIME_STAMP); }
	@$(BIN)/python scripts/preflight.py --after-install

install-dev: install ## The same, and the tools for tests and checks
	@cmp -s requirements-dev.txt $(DEV_STAMP) || { \
		echo "Installing what requirements-dev.txt pins ..." \
		&& $(PIP) -r requirements-dev.txt \
		&& cp requirements-dev.txt $(DEV_STAMP); }

install-clients: install-dev ## The engines beside ours that the tests of the catalog run, in an environment of their own
	@cat requirements-clients.txt $(CLIENTS_JS)/package-lock.json | cmp -s - $(CLIENTS_STAMP) || { \
		echo "Installing Polars, Daft and iceberg-js for the tests ..." \
		&& $(BIN)/python -m venv --clear $(CLIENTS) \
		&& $(CLIENTS)/bin/python -m pip --disable-pip-version-check --no-input install --quiet --no-compile -r requirements-clients.txt \
		&& cp $(CLIENTS_JS)/package.json $(CLIENTS_JS)/package-lock.json $(CLIENTS) \
		&& (cd $(CLIENTS) && PATH="$$PWD/bin:$$PATH" npm ci --silent --no-audit --no-fund) \
		&& cat requirements-clients.txt $(CLIENTS_JS)/package-lock.json > $(CLIENTS_STAMP); }

serve: install ## Migrate and serve, without the demo
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python manage.py serve

test: install-clients ## Run the whole test suite
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-postgres: install-clients ## What has to do with a database, once more on a Postgres that the tests start themselves
	@LAKEHOUSE_TEST_DATABASE=postgres $(BIN)/python -m pytest $(PYTEST_ARGS)

chaos: install-dev ## Kill servers, damage files, break storages and count what is lost; a few minutes, and a table
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

bench: install-dev ## Measure this service beside hnswlib, Chroma, pgvector and others; BENCH_ARGS=--quick is short
	@$(BIN)/python -m benchmarks.run $(BENCH_ARGS)

bench-distillation: install-dev ## Measure the export of training sets beside datatrove and datasketch; BENCH_ARGS=--quick is short
	@$(BIN)/python -m benchmarks.distillation.run $(BENCH_ARGS)

bench-drift: install-dev ## Measure the drift of columns beside Evidently, Frouros and scipy; BENCH_ARGS=--quick is short
	@$(BIN)/python -m benchmarks.drift.run $(BENCH_ARGS)

bench-catalog: install-dev ## Measure commits, loads, ingest and queries of the catalog; BENCH_ARGS=--quick is short
	@$(BIN)/python -m benchmarks.catalog.run $(BENCH_ARGS)

stress: install ## Write, search, merge and delete with several clients at once, then check every item
	@$(BIN)/python manage.py stress $(STRESS_ARGS)

lint: install-dev ## ruff, mypy, missing migrations, Django's checks, the OpenAPI file
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(MANAGE_APART) makemigrations --check --dry-run
	@$(MANAGE_APART) check
	@$(MANAGE_APART) spectacular --validate --fail-on-warn | diff -u $(SCHEMA) - \
		|| { echo "$(SCHEMA) does not say what the code does: run 'make schema' and commit it." >&2; exit 1; }

schema: install-dev ## Write docs/reference/openapi.yaml anew
	@mkdir -p $(dir $(SCHEMA))
	@$(MANAGE_APART) spectacular --validate --fail-on-warn --file $(SCHEMA)

# Not after `install`: a lock that does not install must be renewable.
lock: ## Renew the requirements*.txt from the ranges in pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) uv
	@$(UV_COMPILE) --upgrade pyproject.toml -o requirements.txt
	@$(UV_COMPILE) --upgrade pyproject.toml --group dev --constraint requirements.txt -o requirements-dev.txt
	@$(UV_COMPILE) --upgrade --group clients -o requirements-clients.txt
