# Every command that a person or a machine needs. `make help` lists them.
#
# One dev profile with optimised dependencies serves `demo`, `quick`, `test` and `check`.
# Cargo compiles a dependency again for every other set of features, and the features
# depend on the packages and on the kinds of targets that are selected. So every command
# here selects the whole workspace, and at least one kind of target that needs
# dev-dependencies: then what one of them has compiled, the others find.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

WORKSPACE := --workspace --all-targets --locked
# The tests that need no guests, node or valgrind: unit tests, and the integration
# tests with these names.
QUICK := --workspace --locked --lib --test all --test architecture
# The one test among them that needs guests.
NEEDS_GUESTS := every_guest_is_used
PILUM := target/debug/pilum
# A checkout of the RustSec advisory database. Without one, `make check` fetches it.
ADVISORY_DB ?=

.PHONY: help build host guests guests-rust demo quick test valgrind check litter advisories config-docs bench install

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## Build the host, its tests and its benchmarks (dev profile)
	cargo build $(WORKSPACE)

# The examples are few and small, and they need dev-dependencies: see above.
host: ## Build only the host and the examples of the client (dev profile)
	cargo build --workspace --locked --bin pilum --examples

guests-rust: ## Build the Rust functions into guest-examples/out
	guest-examples/build.sh

guests: guests-rust ## Build the functions of all languages into guest-examples/out
	guest-examples/languages.sh

demo: host guests-rust ## Start a host and call real functions over gRPC: sync, async, cancel, failures
	python3 tests/demo.py $(PILUM)

quick: ## Check format and lints, and run the tests that need nothing but Rust
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) -- -D warnings
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run $(QUICK) -E 'not test($(NEEDS_GUESTS))'; \
	else \
	  cargo test $(QUICK) -- --skip $(NEEDS_GUESTS); \
	fi

test: build guests valgrind ## Run every test
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run $(WORKSPACE) --no-fail-fast; \
	else \
	  cargo test $(WORKSPACE) --no-fail-fast; \
	fi

# The one test that counts instructions needs it. A person who is not root is asked first.
valgrind:
	@command -v valgrind >/dev/null && exit; \
	apt_get() { guest-examples/as-root.sh "make: one test counts instructions with valgrind, which is missing." apt-get "$$@"; }; \
	install() { apt_get install -y --no-install-recommends valgrind; }; \
	status=0; install || status=$$?; \
	if [ $$status -eq 77 ]; then exit 1; fi; \
	if [ $$status -ne 0 ] && ! { apt_get update && install; }; then \
	  echo "make: apt-get cannot install valgrind, so the test of instruction counts will fail" >&2; \
	fi

check: litter ## Format, lints, documentation, licences, duplicates, advisories
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --lib --bins --examples --locked --quiet
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked --no-default-features
	@cargo fetch --locked --quiet # All platforms, since cargo-deny looks at them.
	cargo deny --offline check bans licenses sources
	@$(MAKE) --no-print-directory advisories

litter: ## Refuse files that tools leave behind
	@found=$$(find . \( -name .git -o -name target -o -name node_modules -o -path ./guest-examples/out \) -prune -o \
	    -type f \( -name '*.snap.new' -o -name '*.pending-snap' -o -name '*.orig' -o -name '*.rej' \
	    -o -path './crates/*/crates/*' \) -print); \
	  if [ -n "$$found" ]; then \
	    printf 'make: a tool has left these files behind; review and delete them:\n%s\n' "$$found" >&2; exit 1; \
	  fi

advisories: ## Refuse dependencies with known faults
	@cargo audit --version >/dev/null 2>&1 || cargo install cargo-audit --locked --no-default-features
	@if [ -d "$(ADVISORY_DB)" ]; then \
	  cargo audit --db "$(ADVISORY_DB)" --no-fetch --stale; \
	else \
	  cargo audit || { echo "make: there are known faults, listed above; or there is no network: then set ADVISORY_DB to a checkout of the RustSec database" >&2; exit 1; }; \
	fi

config-docs: ## Write docs/configuration.md anew from crates/host/src/config.rs
	UPDATE_DOCS=1 cargo test --workspace --locked --lib config_reference

bench: guests ## Measure against controls into benches/RESULTS.md; BENCH=name only prints one, ARGS=--json
	benches/run.sh $(or $(BENCH),--results benches/RESULTS.md) $(ARGS)

install: ## Install the pilum binary
	cargo install --path crates/host --locked
