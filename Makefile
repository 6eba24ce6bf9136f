# Shortcuts only: each target is one command that also works by itself.
SERVER ?= redis-server
CLUSTER ?= 0
SECONDS ?= 60
NEMESIS ?= all
MODE ?= notify
BENCH ?= all
SUITE ?= external
PUBLISH ?= 0

.DEFAULT_GOAL := help
.PHONY: help build run test bench bench-plugins bench-rules bench-writers bench-definitions bench-nodes check-consistency check-load redis-suite fuzz servers docs dist deb packages-check dist-check fmt lint deny clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

build: ## Build the module: target/release/libpgcache.so
	@scripts/install.sh build
	cargo build --release --locked

run: ## Try it: PostgreSQL with sample data and SERVER=redis-server|valkey-server|redis-8|…, CLUSTER=3: three primaries, until Ctrl-C
	@CLUSTER=$(CLUSTER) scripts/run.sh $(SERVER)

test: ## Check everything, on every server in PGCACHE_SERVERS (default: all three)
	@scripts/test.sh

bench: build servers ## Measure it against GET, pgbench and cache-aside; BENCH=hits,cold: these groups, PUBLISH=1: into docs/performance.md
	@scripts/install.sh run
	PGCACHE_BENCH=$(BENCH) PGCACHE_BENCH_PUBLISH=$(PUBLISH) PGCACHE_SERVERS="$${PGCACHE_SERVERS:-redis-7.0}" \
	cargo bench --locked --bench speed

bench-plugins: build servers ## Measure what plugins cost a hit
	@scripts/install.sh run
	cargo bench --locked --bench plugins

bench-rules: ## Measure the rules on the way of a hit and of a miss, each by itself
	cargo bench --locked --bench rules

check-consistency: build servers ## Writers, readers and faults for SECONDS each: NEMESIS=all|name MODE=notify|outbox|wal|cluster|cluster-wal|…|off|all
	@scripts/install.sh test
	PGCACHE_CHECK_SECONDS=$(SECONDS) PGCACHE_CHECK_NEMESIS=$(NEMESIS) PGCACHE_CHECK_MODE=$(MODE) \
	PGCACHE_SERVERS="$${PGCACHE_SERVERS:-redis-7.0}" \
	cargo test --locked --test consistency at_length -- --ignored --nocapture

check-load: build servers ## 10,000 changes a second for SECONDS, told by the write-ahead log: how late, in how much memory
	@scripts/install.sh test
	PGCACHE_LOAD_SECONDS=$(SECONDS) PGCACHE_SERVERS="$${PGCACHE_SERVERS:-redis-7.0}" \
	cargo test --locked --test wal_load -- --ignored --nocapture

redis-suite: build ## Run the server's own tests without the module and with it: SUITE=external|cluster|nodes|own|all SERVER=redis-8
	@scripts/install.sh suite
	@SUITE=$(SUITE) SERVER=$(SERVER:redis-server=redis-7.0) scripts/redis-suite.sh

fuzz: SECONDS = 10
fuzz: ## Feed each parser and the client for SECONDS (10), by libFuzzer or plain tests; FUZZ_TARGETS="replies http" FUZZ=plain
	@scripts/fuzz.sh $(SECONDS)

bench-writers: build ## Measure what change notices cost those who write to PostgreSQL
	@scripts/install.sh run
	@scripts/bench-writers.sh

bench-definitions: build ## Measure what it costs PostgreSQL to be watched, with 1,000 tables and as many queries
	@scripts/install.sh run
	@scripts/bench-definitions.sh

bench-nodes: build ## Measure what 1, 3, 6 and 12 servers with the module cost one PostgreSQL, in about a quarter of an hour
	@scripts/install.sh run
	@scripts/bench-nodes.sh

servers: ## Get the servers of the tests into .servers
	@scripts/servers.sh

docs: ## Write the generated parts of docs/commands.md and docs/settings.md from the source
	@scripts/docs.sh

dist: ## Make a release: target/dist/pgcache-….tar.gz with licences, a list of what is linked (SBOM) and checksums
	@scripts/install.sh packages
	@scripts/dist.sh

deb: ## Make the package for Debian: target/dist/pgcache_….deb
	@scripts/install.sh packages
	@scripts/deb.sh

packages-check: dist deb ## Make the packages, unpack them, and have SERVER load the module from them
	@SERVER=$(SERVER) scripts/packages-check.sh

dist-check: ## Build the last commit twice, in two folders, and compare the packages byte by byte
	@scripts/install.sh packages
	@scripts/dist.sh --check

fmt: ## Format the code
	cargo fmt

lint: ## Check format, lints and shell scripts
	cargo fmt --check && cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --locked -- -D warnings
	@scripts/python.sh && scripts/node.sh
	@if command -v shellcheck; then shellcheck scripts/*.sh tests/support/*.sh tests/documents/programs/*.sh .ci/run; fi

deny: ## Check the licences of all dependencies
	@scripts/licences.sh

clean: ## Remove what was built and the servers of the tests
	cargo clean
	rm -rf .servers
