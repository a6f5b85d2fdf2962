# Everything runs on Python 3.11 and make alone: uv is brought into .uv when it is not on PATH.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.8
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
export PATH := $(CURDIR)/.uv/bin:$(PATH)
BIN := .venv/bin
TOOLS := $(BIN)/python -m tools
STACK ?=
CLI_VERSION := $(shell sed -n 's/^requiredPulumiVersion: ">=\(.*\)"$$/\1/p' Pulumi.yaml)

# A pack is configured by policies/config/PACK.json. Both pulumi and the rehearsal take one file for each pack, or none.
PACKS := $(sort $(patsubst %/PulumiPolicy.yaml,%,$(wildcard policies/*/PulumiPolicy.yaml)))
PACK_SETTINGS := $(if $(wildcard policies/config/*.json),$(foreach pack,$(PACKS:policies/%=%),$(or \
	$(wildcard policies/config/$(pack).json),policies/unconfigured.json)))
JUDGED := $(PACKS:%=--policy-pack %) $(PACK_SETTINGS:%=--policy-pack-config %)
$(foreach file,$(wildcard policies/config/*.json),$(if $(filter policies/$(basename $(notdir $(file))),$(PACKS)),,$(error \
	$(file) configures no pack; the packs are $(PACKS:policies/%=%))))

STACK_FLAG := $(if $(STACK),--stack $(STACK),)

.PHONY: help setup engine rehearse rehearse-release explain test test-edited check lint format snapshots docs prove authorization newest bench up preview cli clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What takes long is made under another name first: an interrupted run leaves nothing that looks finished.
.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "error: there is no python3 on PATH; install Python 3.11, 3.12 or 3.13, or say PYTHON=/its/path" >&2; exit 1; }
	@echo "bringing uv $(UV_VERSION) into .uv, once" >&2
	@rm -rf .uv .uv.new && $(PYTHON) -m venv .uv.new
	@.uv.new/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) && mv .uv.new .uv

setup: .venv/.synced ## install what uv.lock says into .venv

.venv/.synced: pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	@test -e $@ || echo "setting .venv up, once; about 400 MB, a minute or two" >&2
	@test -x $(BIN)/python || rm -rf .venv
	@$(UV) sync --quiet --locked --python $(PYTHON) && touch $@

rehearse-release: setup ## rehearse a whole release of STACK (default dev) in an emulator; YES=1, SERVICE=api, FAIL_AT=alarm
	@$(TOOLS) release --stack $(or $(STACK),dev) $(if $(YES),--yes) $(if $(SERVICE),--service $(SERVICE)) \
		$(if $(FAIL_AT),--fail-at $(FAIL_AT))

explain: setup ## who can become ROLE in STACK, and what it can do: make explain STACK=prod ROLE=api-ci-github
	@$(TOOLS) explain --stack $(or $(STACK),dev) --role "$(or $(ROLE),$(error say which: ROLE=api-ci-github))"

rehearse: setup ## rehearse all stacks, or STACK=dev: what would be created, and is it allowed (no cloud, no CLI)
	@$(TOOLS) preview $(STACK_FLAG) $(PACK_SETTINGS:%=--policy-config %)

engine: setup ## run STACK (default all) under the real Pulumi engine and compare with the rehearsal; COMPUTED=table.json, ARGS
	@$(BIN)/python -m tests.conformance $(STACK_FLAG) $(PACK_SETTINGS:%=--policy-config %) $(if $(COMPUTED),--computed $(COMPUTED)) $(ARGS)

test: setup ## run every test
	@$(BIN)/pytest -n auto

test-edited: setup ## run every test in a copy whose stack files somebody has made their own
	@$(BIN)/python -m tests.edited

check: setup ## format, lint, strict types, tests, snapshots, side by side
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint test

lint: setup ## format, lint, directions of imports and strict types
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@found=$$($(BIN)/lint-imports --no-cache --no-logo) || { echo "$$found"; exit 1; }
	@$(BIN)/mypy --no-error-summary

format: setup ## format the code and fix what the linter can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

snapshots: setup ## regenerate tests/snapshots from the stacks as they are, and the messages of the packs' examples
	@$(BIN)/python -m tests.snapshots && $(BIN)/python -m tests.policies.examples

docs: setup ## regenerate the generated parts of README.md and docs/
	@$(TOOLS) docs

prove: setup ## rehearse a change of each setting on a stack that runs: docs/changes.md (minutes; CHECK=1 only compares)
	@$(TOOLS) changes $(if $(CHECK),--check)

authorization: setup ## refresh AWS's actions, resources and condition keys in authorization/reference.tsv
	@$(UV) run --quiet --isolated --locked --only-group authorization python -m authorization.refresh

newest: setup ## run the rehearsal engine's tests with the newest Pulumi SDK, in an environment of its own
	@rm -rf .cache/newest && $(UV) venv --quiet --python $(PYTHON) .cache/newest
	@VIRTUAL_ENV=.cache/newest $(UV) pip install --quiet --editable rehearsal/engine --group rehearsal/engine/pyproject.toml:test \
		--override rehearsal/engine/newest.txt
	@VIRTUAL_ENV=.cache/newest $(UV) pip list 2>/dev/null | grep '^pulumi'
	@.cache/newest/bin/pytest -c rehearsal/engine/pyproject.toml -n auto rehearsal/engine/tests

bench: setup ## time the rehearsal against the SDK's plain mocks, 1 to 100 services
	@$(BIN)/python -m tests.bench

# A preview changes nothing, so the engine need not write its state after each step; an update has to.
preview: cli setup ## pulumi preview of STACK with the policy packs; ARGS=--diff (needs the Pulumi CLI and credentials)
	@PULUMI_SKIP_CHECKPOINTS=1 pulumi preview --stack $(or $(STACK),$(error say which: make preview STACK=dev)) $(JUDGED) $(ARGS)

up: cli setup ## pulumi up of STACK with the policy packs; ARGS=--yes (needs the Pulumi CLI and credentials)
	@unset PULUMI_SKIP_CHECKPOINTS; pulumi up --stack $(or $(STACK),$(error say which: make up STACK=dev)) $(JUDGED) $(ARGS)

cli:
	@command -v pulumi >/dev/null || { echo "error: pulumi is not on PATH; install the Pulumi CLI, version $(CLI_VERSION) or later; \
	everything but make preview and make up works without it" >&2; exit 1; }

clean: ## remove what the other commands made
	@rm -rf .venv .uv .uv.new .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
