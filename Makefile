# Every command a person or a machine needs. `make help` lists them.
#
# One dev profile with optimised dependencies serves `demo`, `test` and
# `check`, so a fresh clone compiles wasmtime once for all three.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# All targets build the same set of crates and features: what one compiled, the others find.
WORKSPACE := --workspace --all-targets --locked
PILUM := target/debug/pilum
# A checkout of the RustSec advisory database. Where there is none, it is fetched.
ADVISORY_DB ?=

.PHONY: help build guests demo test valgrind check advisories bench install clean-data

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## Build the host and its tests (dev profile)
	cargo build $(WORKSPACE)

guests: ## Build the example functions into guest-examples/out
	guest-examples/build.sh
	guest-examples/languages.sh

demo: build guests ## Start a host and call real functions over gRPC: sync, async, cancel, failures
	python3 tests/demo.py $(PILUM)

test: build guests valgrind ## Run every test
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run $(WORKSPACE) --no-fail-fast; \
	else \
	  cargo test $(WORKSPACE) --no-fail-fast; \
	fi

valgrind: # Counts instructions; one test needs it.
	@command -v valgrind >/dev/null || { \
	  sudo=$$(test $$(id -u) -eq 0 || command -v sudo || true); \
	  $$sudo apt-get install -y --no-install-recommends valgrind || \
	    { $$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends valgrind; } || \
	    echo "make: no valgrind, and apt-get cannot install it: the test of instruction counts will fail" >&2; }

check: ## Format, lints, documentation, licences, duplicates, advisories
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked --no-default-features
	cargo deny --offline check bans licenses sources
	@$(MAKE) --no-print-directory advisories

advisories: ## Refuse dependencies with known faults
	@cargo audit --version >/dev/null 2>&1 || cargo install cargo-audit --locked --no-default-features
	@if [ -d "$(ADVISORY_DB)" ]; then \
	  cargo audit --db "$(ADVISORY_DB)" --no-fetch --stale; \
	else \
	  cargo audit || { echo "make: known faults above; or no network: set ADVISORY_DB to a checkout of the RustSec database" >&2; exit 1; }; \
	fi

bench: guests ## Measure against controls into benches/RESULTS.md; BENCH=name only prints one, ARGS=--json
	benches/run.sh $(or $(BENCH),--results benches/RESULTS.md) $(ARGS)

install: ## Install the pilum binary
	cargo install --path crates/host --locked
