# A Rust toolchain, a C compiler and make are all that `demo` and `test` need.

# Settings, each to be given on the command line: make demo DURATION=5m SEED=7
DURATION ?= 60s
SEED     ?= 1
CONFIG   ?= config.toml
DIR      ?= data/demo/signals
FILE     ?= data/capture.jsonl
REASON   ?=
MARKET   ?=
AT       ?=
SEEDS    ?= 0..10000
HOURS    ?= 1
FAULTS   ?= all
TIME     ?= 600
TARGET   ?=
ONLY     ?=
CORE     ?=
PREFIX   ?= /usr/local
NATIVE   ?=
ARGS     ?=

CARGO    ?= cargo
# NATIVE=1: for the processor that builds, and no older one. It goes to a directory of its own.
ifneq ($(NATIVE),)
export RUSTFLAGS := $(RUSTFLAGS) -C target-cpu=native
export CARGO_TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)/native
endif
OUT      := $(or $(CARGO_TARGET_DIR),target)
HIP3     := $(CARGO) run --quiet --release --locked --
CRITERION := --bench feed --bench engine --bench executor --bench runtime --bench pipeline
VENV     := target/records-venv
REPORT_VENV := target/report-venv
SDK_VENV := target/sdk-venv
BROWSER_VENV := target/browser-venv

.DEFAULT_GOAL := help
.PHONY: help demo demo-trading test check lint fuzz fuzz-smoke simulate bench bench-smoke build run preflight release \
	venue capture replay records records-env report report-page report-check report-duckdb report-spark report-env sdk sdk-env soak mutants browser browser-env why alert \
	tune-check install observe trade latency-report wire-to-wire disturbed syscalls instructions

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nFor development:\n'
	@awk -F ':.*#- ' '/^[a-z-]+:.*#- / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: build ## Simulated venue and engine on this machine [DURATION=60s SEED=1 ARGS=]
	$(HIP3) demo --duration $(DURATION) --seed $(SEED) $(ARGS)

demo-trading: build ## The demo, with orders and made-up money [DURATION=60s SEED=1 ARGS=]
	$(HIP3) demo --mode trading --duration $(DURATION) --seed $(SEED) $(ARGS)

test: ## Every test, those in the documentation too [ARGS=a filter]
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		set -ex; $(CARGO) nextest run --locked --no-fail-fast $(ARGS); $(CARGO) test --locked --doc $(ARGS); \
	else \
		set -ex; $(CARGO) test --locked --no-fail-fast $(ARGS); \
	fi

check: #- Checks the source: format, lints, documentation (a config: hip3 check)
	@echo 'format: cargo fmt'
	@$(CARGO) fmt --all --check
	@echo 'lints: cargo clippy, warnings are errors'
	@$(CARGO) clippy --all-targets --locked -- -D warnings
	@echo 'documentation: cargo doc, warnings are errors'
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked
	@echo 'format, lints and documentation are clean'

lint: check #- The same as check

fuzz: #- Fuzzes every target, or one, so many seconds each [TIME=600 TARGET=]
	tools/fuzz.sh run $(TIME) $(TARGET)

fuzz-smoke: #- Fuzzes every target for two seconds, to see that it works
	tools/fuzz.sh smoke 2

simulate: build #- Virtual hours with every fault, judged after every event [SEEDS=0..10000 HOURS=1 FAULTS=all ARGS=]
	$(HIP3) simulate --seeds $(SEEDS) --hours $(HOURS) --faults $(FAULTS) $(ARGS)

bench: #- Benchmarks, their ratios, and target/bench-report.md [ARGS=a filter, NATIVE=1]
	rm -rf $(OUT)/tmp/ratios $(OUT)/criterion
	$(CARGO) bench --locked $(CRITERION) -- $(ARGS)
	python3 tools/bench_report.py --target $(OUT) --out $(OUT)/bench-report.md

instructions: #- Counts the instructions of the hot functions, against the baseline [ARGS=--accept]
	tools/instructions.py $(ARGS)

bench-smoke: #- Runs each benchmark once, to see that it works
	$(CARGO) test --locked $(CRITERION)

build: ## The program, optimized: target/release/hip3 [NATIVE=1: for this processor alone]
	$(CARGO) build --release --locked

run: build ## The venue that the config names: watched, or traded on [CONFIG=config.toml ARGS=]
	$(HIP3) run --config $(CONFIG) $(ARGS)

observe: build ## As run, in observation whatever the config says [CONFIG=config.toml ARGS=]
	$(HIP3) run --mode observation --config $(CONFIG) $(ARGS)

# preflight first: a no-go ends it here. Mainnet needs ARGS=--live, as ever.
trade: build ## As run, in trading mode, once preflight says go [CONFIG=config.toml ARGS=]
	$(HIP3) preflight --config $(CONFIG) --set 'mode="trading"'
	$(HIP3) run --mode trading --config $(CONFIG) $(ARGS)

preflight: build ## Whether a run could begin; in trading the account and its key too [CONFIG=config.toml ARGS=]
	$(HIP3) preflight --config $(CONFIG) $(ARGS)

release: ## Releases HardStop, so that the engine may trade again [REASON= CONFIG=config.toml ARGS=]
	@test -n "$(REASON)" || { echo 'which reason? make release REASON=Loss, or REASON=all' >&2; exit 2; }
	$(CARGO) build --release --locked
	$(HIP3) release --reason $(REASON) --config $(CONFIG) $(ARGS)

alert: build ## Sends one test alert, and says whether it was taken [CONFIG=config.toml ARGS=]
	$(HIP3) alert --config $(CONFIG) $(ARGS)

why: build ## Why there was an order at a moment (UTC), or none [MARKET= AT= DIR=data/demo/signals ARGS=]
	@test -n "$(MARKET)" -a -n "$(AT)" || \
		{ echo 'where and when? make why MARKET=xyz:NVDA AT=14:31:05' >&2; exit 2; }
	$(HIP3) why --market "$(MARKET)" --at "$(AT)" $(DIR) $(ARGS)

venue: build #- Serves the simulated venue alone, on loopback [SEED=1 ARGS=]
	$(HIP3) venue --seed $(SEED) $(ARGS)

capture: build ## As run, and keeps everything heard [FILE=data/capture.jsonl CONFIG= ARGS=]
	@mkdir -p $(dir $(FILE))
	$(HIP3) run --config $(CONFIG) --capture $(FILE) $(ARGS)

replay: build ## Drives the engine from captures [FILE=data/capture.jsonl ARGS=]
	$(HIP3) replay $(FILE) $(ARGS)

records: records-env #- Opens records with pyarrow and DuckDB and checks them [DIR=data/demo/signals ARGS=]
	$(VENV)/bin/python tools/check_records.py $(DIR) $(ARGS)

records-env: $(VENV)/ready

# DuckDB hands times to Python with pytz.
$(VENV)/ready:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check pyarrow duckdb pytz
	@touch $@

report: build ## What the signals were worth, as a table and a page [DIR=data/demo/signals ARGS=]
	@mkdir -p $(OUT)
	$(HIP3) report $(DIR) --html $(OUT)/report.html $(ARGS)
	@echo 'the page: $(OUT)/report.html'

report-page: browser-env report #- The page of make report, in a real browser [DIR= ARGS=]
	$(BROWSER_VENV)/bin/python tools/report_check.py $(OUT)/report.html --out target/screenshots/report

report-check: report-duckdb report-spark #- The report's figures against those of DuckDB and of Spark [DIR= ARGS=--latency-ms 200]

CHECK := $(OUT)/report-check

report-duckdb: records-env build #- The same against DuckDB alone
	@mkdir -p $(CHECK)
	$(HIP3) report $(DIR) --config $(CONFIG) --json $(ARGS) > $(CHECK)/hip3.json
	$(VENV)/bin/python tools/report_duckdb.py $(DIR) --out $(CHECK)/duckdb.json $(ARGS)
	python3 tools/compare_reports.py $(CHECK)/hip3.json $(CHECK)/duckdb.json

report-spark: report-env build
	@command -v java >/dev/null || { echo 'Spark needs a Java runtime: apt-get install default-jre-headless' >&2; exit 2; }
	@mkdir -p $(CHECK)
	$(HIP3) report $(DIR) --config $(CONFIG) --json $(ARGS) > $(CHECK)/hip3.json
	$(REPORT_VENV)/bin/python tools/report_spark.py $(DIR) --out $(CHECK)/spark.json $(ARGS)
	python3 tools/compare_reports.py $(CHECK)/hip3.json $(CHECK)/spark.json

report-env: $(REPORT_VENV)/ready

# Apart from records-venv: Spark alone is half a gigabyte.
$(REPORT_VENV)/ready:
	python3 -m venv $(REPORT_VENV)
	$(REPORT_VENV)/bin/pip install --quiet --disable-pip-version-check \
		numpy==2.4.6 pyarrow==26.0.1 duckdb==2.0.1 pytz==2026.6 pyspark==4.3.0
	@touch $@

# Its own default: an hour, unless the command line says something else.
soak: build #- Hours of dense trading, watched from outside: does anything grow? [DURATION=1h SEED=1 ARGS=]
	tools/soak.py --binary $(OUT)/release/hip3 --seed $(SEED) \
		--duration $(if $(filter command line environment,$(origin DURATION)),$(DURATION),1h) $(ARGS)

sdk: sdk-env #- The official Python SDK trades on the simulated venue [SEED=1 ARGS=]
	$(CARGO) build --quiet --locked
	$(SDK_VENV)/bin/python tools/sdk_client.py --spawn $(OUT)/debug/hip3 --seed $(SEED) $(ARGS)

sdk-env: $(SDK_VENV)/ready

$(SDK_VENV)/ready:
	python3 -m venv $(SDK_VENV)
	$(SDK_VENV)/bin/pip install --quiet --disable-pip-version-check hyperliquid-python-sdk eth-account
	@touch $@

browser: browser-env build #- Opens the dashboard in a real browser, uses it, leaves pictures [ARGS=]
	$(BROWSER_VENV)/bin/python tools/browser_check.py --binary $(OUT)/release/hip3 --out target/screenshots $(ARGS)

browser-env: $(BROWSER_VENV)/ready

# The browser is the system's own; Playwright only drives it.
$(BROWSER_VENV)/ready:
	python3 -m venv $(BROWSER_VENV)
	$(BROWSER_VENV)/bin/pip install --quiet --disable-pip-version-check playwright websockets
	@touch $@

mutants: #- Breaks the engine on purpose, each way to be noticed [ONLY=name,name ARGS=--list]
	python3 tools/mutants.py $(if $(ONLY),--only $(ONLY)) $(ARGS)

latency-report: build ## A dense demo that trades, its latency as a table and a page [DURATION=60s SEED=1 ARGS=]
	@rm -rf target/latency && mkdir -p target/latency
	$(HIP3) demo --mode trading --latency --busy-poll --duration $(DURATION) --seed $(SEED) \
		--data-dir target/latency/signals $(ARGS)
	$(HIP3) latency target/latency/latency/*.hlog --html target/latency/report.html
	@echo 'the page: target/latency/report.html'

wire-to-wire: build #- From frame to order as the venue sees it: spinning or not, TLS or not [ARGS=--duration 30]
	tools/wire_to_wire.py --binary $(OUT)/release/hip3 $(ARGS)

disturbed: build #- Whether a stopped recorder or slow dashboards reach an order [ARGS=--duration 60]
	tools/disturbed.py --binary $(OUT)/release/hip3 $(ARGS)

syscalls: build #- What the hot thread asks of the kernel on an order's way: nothing [ARGS=--tls]
	tools/hot_syscalls.py --binary $(OUT)/release/hip3 $(ARGS)

tune-check: ## What this machine could do better for the hot thread [CORE= ARGS=--apply]
	tools/tune-host.sh $(if $(CORE),--core $(CORE)) $(ARGS)

install: build ## The program as a systemd service, not started [PREFIX=/usr/local DESTDIR= ARGS=--dry-run]
	tools/install.sh --prefix $(PREFIX) $(ARGS)
