# The two commands most people need:
#
#   make run     a gateway with demonstration data on http://127.0.0.1:4000
#   make test    everything that must hold before a change goes in
#
# This file sets the machine up and calls cargo and npm; nothing else lives here. It needs Rust, a C compiler and
# Node; PostgreSQL and Chromium (for the tests) are found, or installed, by the scripts in dev/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# cargo uses all cores by itself, and a test's output should come in one piece.
.NOTPARALLEL:

# More flags for the program: make run ARGS='--database-url postgres://…'
ARGS ?=
LISTEN ?= 127.0.0.1:4000
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Some distributions ship a Node that is too old for the build; for `make run` that is as good as none.
NODE_IS_FINE := $(shell npm --version >/dev/null 2>&1 && node -e ' \
	const [major, minor] = process.versions.node.split(".").map(Number); \
	process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null && echo yes)

.PHONY: help run build web lint test test-rust test-http test-web bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: web ## Build and start a gateway with demonstration data (SQLite in ./parlour.db)
	cargo run --release -- serve --demo --listen $(LISTEN) $(ARGS)

build: web ## Build the release binary
	cargo build --release

# ------------------------------------------------------------------------------------------------ web assets

WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' -not -path 'web/test*' 2>/dev/null)

# The binary embeds web/dist, so the folder must exist even when there is nothing to put into it.
ifdef NODE_IS_FINE
web: web/dist/index.html ## Build GraphiQL into web/dist, if it is missing or stale
else
web:
	@mkdir -p web/dist
	@echo 'Node 20.19 or newer is not installed: going on without a fresh GraphiQL page.' >&2
endif

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run build
	@touch $@

# npm writes this file last, which makes it a good mark of a finished installation.
web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

# ------------------------------------------------------------------------------------------------ checks

lint: web ## Check format, lints, documentation and dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --document-private-items
	dev/cargo-deny.sh

test: lint test-rust test-http test-web ## Everything: lint, then tests on SQLite, PostgreSQL, over HTTP and in a browser

# SQLite needs nothing. PostgreSQL is TEST_DATABASE_URL where that is set, else a throw-away server for this run.
test-rust: web ## The tests on SQLite and PostgreSQL (cargo test alone runs SQLite)
	dev/valgrind.sh
	dev/postgres.sh run TEST_DATABASE_URL cargo test --workspace

test-http: ## What graphql-http and graphql-js say of a running server, and what hostile clients do to it
	@[ -n '$(NODE_IS_FINE)' ] || { echo 'The tests over HTTP need Node 20.19 or newer.' >&2; exit 1; }
	cargo build --workspace
	binary=$$(cd '$(TARGET)/debug' && pwd)/parlour && cd tests/http && npm ci --no-audit --no-fund && \
		PARLOUR_BIN="$$binary" npm test

test-web: web ## The test in a browser
	@[ -n '$(NODE_IS_FINE)' ] || { echo 'The browser test needs Node 20.19 or newer.' >&2; exit 1; }
	cargo build --workspace
	chromium=$$(dev/chromium.sh) && binary=$$(cd '$(TARGET)/debug' && pwd)/parlour && cd web && \
		CHROMIUM="$$chromium" PARLOUR_BIN="$$binary" npm test

bench: web ## Measure beside the limit (BENCH_DATABASE_URL, else a server with the safe settings); ARGS go to the program
	cargo build --release
	dev/postgres.sh run --durable BENCH_DATABASE_URL cargo run --release -p parlour-bench -- $(ARGS)

clean: ## Remove what was built (your database stays)
	dev/postgres.sh stop
	cargo clean
	rm -rf web/dist web/node_modules tests/http/node_modules
