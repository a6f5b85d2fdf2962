# Everything runs on Python 3.11 and make alone: uv is brought into .uv when it is not on PATH.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.8
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
STACK ?=
STACK_FLAG := $(if $(STACK),--stack $(STACK),)

.PHONY: help setup rehearse rehearse-release explain test test-edited check lint format snapshots docs authorization bench up preview clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.uv/bin/uv:
	@$(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

setup: .venv/.synced ## install what uv.lock says into .venv

.venv/.synced: pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --locked --python $(PYTHON) && touch $@

rehearse-release: setup ## play a whole release of STACK (default dev) in an emulator; YES=1, SERVICE=api, FAIL_AT=alarm
	@$(BIN)/python -m rehearsal.release --stack $(or $(STACK),dev) $(if $(YES),--yes) $(if $(SERVICE),--service $(SERVICE)) \
		$(if $(FAIL_AT),--fail-at $(FAIL_AT))

explain: setup ## who can become ROLE in STACK, and what it can do: make explain STACK=prod ROLE=api-ci-github
	@$(BIN)/python -m rehearsal.explain --stack $(or $(STACK),dev) --role $(or $(ROLE),$(error say which: ROLE=api-ci-github))

rehearse: setup ## rehearse all stacks, or STACK=dev: what would be created, and is it allowed (no cloud, no CLI)
	@$(BIN)/python -m rehearsal preview $(STACK_FLAG)

test: setup ## run every test
	@$(BIN)/pytest -n auto

test-edited: setup ## run every test in a copy whose stack files somebody has made their own
	@$(BIN)/python -m tests.edited

check: setup ## format, lint, strict types, tests, snapshots, side by side
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint test

lint: setup ## format, lint and strict types
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

format: setup ## format the code and mend what the linter can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

snapshots: setup ## write tests/snapshots anew from the stacks as they are
	@$(BIN)/python -m tests.snapshots

docs: setup ## write the generated parts of README.md and docs/ anew
	@$(BIN)/python -m docs.generate && $(BIN)/python -m docs.generate_policies

authorization: setup ## read AWS's actions, resources and condition keys anew into authorization/reference.tsv
	@$(UV) run --quiet --isolated --locked --only-group authorization python -m authorization.refresh

bench: setup ## time the rehearsal against the SDK's plain mocks, 1 to 100 services
	@$(BIN)/python -m rehearsal.bench

preview: setup ## pulumi preview of STACK with the policy packs (needs the Pulumi CLI and credentials)
	@pulumi preview --stack $(or $(STACK),$(error say which: make preview STACK=dev)) $(PACKS)

up: setup ## pulumi up of STACK with the policy packs (needs the Pulumi CLI and credentials)
	@pulumi up --stack $(or $(STACK),$(error say which: make up STACK=dev)) $(PACKS)

PACKS := --policy-pack policies/least-privilege --policy-pack policies/release-safety

clean: ## remove what the other commands made
	@rm -rf .venv .uv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
