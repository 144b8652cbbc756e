# What a person types. Every target sets up what it needs: Python 3.11, make and apt or pip are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
CATALOG ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Nothing here phones home, and no model is fetched from a hub.
export HF_HUB_OFFLINE := 1
export DAGSTER_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false

MARKED ?= not rebuild
.PHONY: help setup demo demo-handsoff test test-all test-fast up check check-aws docs reference wheel bench base constraints clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## virtual environment with pinned dependencies, and the system libraries they load

$(STAMP): pyproject.toml constraints.txt
	@sh .ci/system-packages
	@echo "Setting up $(VENV) (a few minutes the first time)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## the whole lifecycle once; CATALOG=DIR takes a real catalogue instead of the drawn one
	@$(BIN)/selvedge demo $(if $(CATALOG),--catalog "$(CATALOG)")

demo-handsoff: $(STAMP) ## fifty drawn labels to a promoted segmenter that cuts out ten products
	@$(BIN)/selvedge handsoff demo

test: $(STAMP) ## the tests, real services included; COVERAGE=1 counts the lines they reach and holds them to the floor
	@sh .ci/system-packages tests
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "$(MARKED)" $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

test-all: ## the same, and the data of shipped bases made again, which takes minutes
	@$(MAKE) test MARKED=

test-fast: $(STAMP) ## the tests that need seconds
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not e2e"

up: $(STAMP) ## Dagster, MLflow and Label Studio with one link each; Ctrl-C stops all
	@$(BIN)/selvedge up

check: $(STAMP) ## ruff, mypy, import rules, generated pages, the site
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/zensical build --clean --strict

check-aws: $(STAMP) ## the CDK app: synthesis, cdk-nag, assertions, cfn-lint, checkov, container files; offline but for the set-up
	@$(BIN)/python -m infra.aws.check

docs: $(STAMP) ## the manual as a site, in site/
	@$(BIN)/zensical build --clean --strict

reference: $(STAMP) ## write the reference pages and the picture of the house from the code
	@$(BIN)/python -m tools.reference

wheel: $(STAMP) ## build the wheel and the source archive into dist/
	@rm -rf build dist
	@$(BIN)/python -m build --no-isolation

bench: $(STAMP) ## the benchmarks, each a ratio against a baseline measured in the same run
	@$(BIN)/python -m benchmarks

base: $(STAMP) ## rebuild the pre-trained base of the tiny profile (minutes on a GPU, hours without)
	@$(BIN)/python -m training.blip2.pretraining --out models/blip2-tiny

constraints: ## write constraints.txt from this virtual environment
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/pip freeze --exclude-editable | grep -vE '^(pip|setuptools|wheel|selvedge)|@ ' | sed 's/+cpu//'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove local state (.selvedge) but not the virtual environment
	@rm -rf .selvedge
