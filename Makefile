# Shortcuts only: each target is one command that also works by itself.
SERVER ?= redis-server
SECONDS ?= 60
NEMESIS ?= all
MODE ?= notify

.DEFAULT_GOAL := help
.PHONY: help build run test bench bench-writers check-consistency servers fmt lint deny clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

build: ## Build the module: target/release/libpgcache.so
	@scripts/install.sh
	cargo build --release --locked

run: ## Try it: PostgreSQL with sample data and SERVER=redis-server|valkey-server|redis-8, until Ctrl-C
	@scripts/run.sh $(SERVER)

test: ## Check everything, on every server in PGCACHE_SERVERS (default: all three)
	@scripts/test.sh

bench: build servers ## Compare hits with GET, and with plugins switched off, on every server
	cargo bench --locked --bench hits --bench plugins

check-consistency: build servers ## Writers, readers and faults for SECONDS each: NEMESIS=all|name MODE=notify|outbox|off|all
	PGCACHE_CHECK_SECONDS=$(SECONDS) PGCACHE_CHECK_NEMESIS=$(NEMESIS) PGCACHE_CHECK_MODE=$(MODE) \
	PGCACHE_SERVERS="$${PGCACHE_SERVERS:-redis-7.0}" \
	cargo test --locked --test consistency at_length -- --ignored --nocapture

bench-writers: ## Measure what change notices cost those who write to PostgreSQL
	@scripts/install.sh
	@scripts/bench-writers.sh

servers: ## Get the servers of the tests into .servers
	@scripts/servers.sh

fmt: ## Format the code
	cargo fmt

lint: ## Check format, lints and shell scripts
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	@if command -v shellcheck; then shellcheck scripts/*.sh tests/support/*.sh .ci/run; fi

deny: ## Check the licences of all dependencies
	@scripts/licences.sh

clean: ## Remove what was built and the servers of the tests
	cargo clean
	rm -rf .servers
