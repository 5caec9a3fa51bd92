# Every path here is relative, so a checkout in a path with a space works.

.DEFAULT_GOAL := help
.PHONY: help install run test chaos chaos-peers chaos-mutants soak check format migrations requirements clean

PYTHON := .venv/bin/python
ARGS ?=
MINUTES ?= 5
SEED ?= $(shell date +%s)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

install: ## Make .venv with the pinned requirements (only when they have changed)
	@sh .ci/install

run: install ## Start everything and print the addresses; Ctrl-C stops it
	@exec $(PYTHON) -m scheduler_project.embedded

test: install ## Run all tests, on servers of their own (ARGS="tests/unit -k cron" for some)
	@exec $(PYTHON) -m pytest --numprocesses=2 --dist=worksteal $(ARGS)

chaos: install ## Run the whole fault suite and write its table into docs/reliability.md
	@exec $(PYTHON) -m pytest --numprocesses=2 --dist=worksteal -m scenario --table=docs/reliability.md chaos/scenarios $(ARGS)

chaos-peers: install ## The same faults under Carillon, django-celery-beat and celery-redbeat, side by side
	@sh chaos/peers/install
	@exec $(PYTHON) -m pytest --numprocesses=3 --dist=worksteal -p no:randomly -m scenario --peers-table=docs/reliability.md \
		chaos/peers/compare_carillon.py chaos/peers/compare_peers.py chaos/peers/compare_daylight.py $(ARGS)

chaos-mutants: install ## Take each safeguard away in turn: the tests must notice
	@exec $(PYTHON) -m chaos.mutants

soak: install ## Random faults for MINUTES (5) from a SEED, then everything is checked
	@exec $(PYTHON) -m pytest -m scenario --capture=no --minutes=$(MINUTES) --seed=$(SEED) chaos/soak

check: install ## Lint, formatting, types, import contracts, migrations, Django's checks
	@exec $(PYTHON) -m scheduler_project.embedded.temporary sh .ci/check

format: install ## Rewrite the code in the project's format
	@$(PYTHON) -m ruff check --fix-only .
	@$(PYTHON) -m ruff format .

migrations: install ## Write migrations for changed models
	@exec $(PYTHON) -m scheduler_project.embedded.temporary $(PYTHON) manage.py makemigrations

requirements: install ## Compile requirements.txt anew from pyproject.toml
	@$(PYTHON) -m pip --quiet install pip-tools
	@$(PYTHON) -m piptools compile --quiet --upgrade --strip-extras --allow-unsafe --no-emit-index-url \
		--no-emit-trusted-host --no-emit-find-links --output-file=requirements.txt pyproject.toml

clean: ## Remove .venv and the caches; .carillon with its data stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .grimp_cache .hypothesis .carillon/temporary
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
