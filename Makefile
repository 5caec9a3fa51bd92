# Every path here is relative, so a checkout in a path with a space works.

.DEFAULT_GOAL := help
.PHONY: help install run test check format migrations requirements clean

PYTHON := .venv/bin/python
ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

install: ## Make .venv with the pinned requirements (only when they have changed)
	@sh .ci/install

run: install ## Start everything and print the addresses; Ctrl-C stops it
	@exec $(PYTHON) -m scheduler_project.embedded

test: install ## Run all tests, on servers of their own (ARGS="tests/unit -k cron" for some)
	@exec $(PYTHON) -m pytest --numprocesses=2 --dist=worksteal $(ARGS)

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
