# `make run` and `make test` are all that a fresh machine needs; `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

CARGO_TARGET_DIR ?= $(CURDIR)/target
override CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
export CARGO_TARGET_DIR
export PATH := $(CARGO_TARGET_DIR)/tools/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)

release := $(CARGO_TARGET_DIR)/release
stamps := $(CARGO_TARGET_DIR)/stamps

# What the pages and the programs are made of. Only a change among these starts npm or cargo.
page_sources := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/tests -prune -o -type f -print)
program_sources := Cargo.toml Cargo.lock rust-toolchain.toml $(shell find backend engine/Cargo.toml engine/src compliance migrations -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.sql' -o -name '*.html' \))

.PHONY: help run build web test test-rust test-kernels kill-resume test-web test-browser test-speech test-flows fuzz lint licences sbom standards check-cuda starter starter-figures few-patients golden explore bench-peers bench-import clean bootstrap

help: ## What can be asked for
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: build ## Build what has changed and start the platform on 127.0.0.1:8080
	@scripts/run.sh

build: bootstrap $(stamps)/programs ## Build the pages and the release programs

web: bootstrap $(stamps)/pages ## Build the pages

bootstrap:
	@scripts/bootstrap-run.sh

$(stamps)/npm: web/package.json web/package-lock.json | bootstrap
	cd web && npm ci --no-fund --no-audit
	@mkdir -p $(@D) && touch $@

$(stamps)/pages: $(stamps)/npm $(page_sources)
	cd web && npm run build
	@mkdir -p $(@D) && touch $@

# The pages are part of the platform's program.
$(stamps)/programs: $(stamps)/pages $(program_sources)
	cargo build --release --locked -p skiagraph -p skiagraph-engine
	@mkdir -p $(@D) && touch $@

test: ## Install what the tests need and run all of them
	@scripts/test.sh

test-rust: build standards ## Rust tests alone: units, golden numbers, walls, API, flows
	cargo test --release --locked --workspace

test-kernels: build ## The CPU's kernels and the networks alone, by the path that SKIAGRAPH_ISA names (portable, avx2, avx512)
	cargo test --release --locked --workspace --lib -- kernel:: nn::
	cargo test --release --locked --workspace --test skiagraph -- golden::networks golden::variants

kill-resume: build ## Kill trainings by -9 and go on, again and again: the losses of 50 steps beside those of a run that was not killed
	cargo test --release --locked -p skiagraph-tests -- flows::training --nocapture --test-threads 1

test-web: $(stamps)/npm ## Tests of the pages' parts, in Node
	cd web && npm test

test-browser: build ## The three people's way through, in a real browser
	scripts/test-browser.sh

test-speech: build ## Spoken requests on Whisper's real weights, fetched once
	tests/flows/spoken_request.sh

test-flows: build ## Flows on the real radiographs of ../shared/data, where they are
	tests/flows/real_radiographs.sh

FUZZ_SECONDS ?= 600
fuzz: ## Damaged files into every loader, for FUZZ_SECONDS (600)
	FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --release --locked -p skiagraph-tests fuzz::loaders_survive -- --exact --ignored --nocapture

lint: $(stamps)/pages ## Formatting and lints, of Rust and of the pages
	@scripts/lint.sh

licences: $(stamps)/npm ## Licences of every crate and npm package against deny.toml
	@node scripts/licences.mjs

cargo_cyclonedx := 0.5.9

sbom: bootstrap ## What the product is made of, as CycloneDX: crates and npm packages, under target/sbom
	@command -v cargo-cyclonedx >/dev/null || cargo install --locked --version $(cargo_cyclonedx) cargo-cyclonedx
	@mkdir -p $(CARGO_TARGET_DIR)/sbom
	cargo cyclonedx --format json --override-filename sbom.cdx --manifest-path backend/Cargo.toml
	mv backend/sbom.cdx.json $(CARGO_TARGET_DIR)/sbom/skiagraph.cdx.json
	find . -name sbom.cdx.json -not -path './*/node_modules/*' -delete
	cd web && npm sbom --sbom-format cyclonedx --omit dev --package-lock-only > $(CARGO_TARGET_DIR)/sbom/web.cdx.json

# Where they cannot be had, the tests that ask them say that they were skipped.
standards:
	@$(MAKE) --no-print-directory $(CARGO_TARGET_DIR)/standards/installed || echo "The judges of audit exports, content credentials, segmentations and DICOMweb could not be installed; their tests will be skipped and say so."

$(CARGO_TARGET_DIR)/standards/installed: tests/standards/requirements.txt
	python3 -m venv $(CARGO_TARGET_DIR)/standards
	$(CARGO_TARGET_DIR)/standards/bin/pip install --quiet --requirement $<
	touch $@

check-cuda: bootstrap ## Compile and link for NVIDIA's GPUs, kernels included, on any machine (FEATURES, COMPUTE_CAP)
	scripts/check-cuda.sh

starter: build ## Make the starter model anew (hours; needs ../shared/data)
	scripts/starter.sh

starter-figures: build ## Measure the starter model, and what adapters do for a model like it (hours; after make starter)
	scripts/starter-figures.sh

few-patients: build ## How few patients are too few for each way of adapting (hours; after make starter-figures)
	scripts/few-patients.sh

$(CARGO_TARGET_DIR)/golden/installed: tests/golden/requirements.txt
	python3 -m venv $(CARGO_TARGET_DIR)/golden
	$(CARGO_TARGET_DIR)/golden/bin/pip install --quiet --requirement $<
	touch $@

golden: build $(CARGO_TARGET_DIR)/golden/installed ## Make the golden numbers anew, with PyTorch, diffusers, transformers and peft (gigabytes)
	$(CARGO_TARGET_DIR)/golden/bin/python -B tests/golden/make.py --engine $(release)/skiagraph-engine

SEED ?= 1
COUNT ?= 100
KINDS ?= schedulers networks pipelines

explore: build $(CARGO_TARGET_DIR)/golden/installed ## Models of random configurations, by diffusers and by the engine's model check
	$(CARGO_TARGET_DIR)/golden/bin/python -B tests/golden/explore.py --engine $(release)/skiagraph-engine \
		--seed $(SEED) --count $(COUNT) --kinds $(KINDS)

bench := $(CARGO_TARGET_DIR)/bench

# Its own sources, compiled here: minutes, two at a time for their 2 GB each; a machine without a C++ compiler goes without that row.
$(bench)/installed: bench/stable-diffusion-cpp.txt $(CARGO_TARGET_DIR)/golden/installed
	@mkdir -p $(@D)
	@if CMAKE_BUILD_PARALLEL_LEVEL=2 $(CARGO_TARGET_DIR)/golden/bin/pip install --quiet --no-deps --upgrade --target $(bench)/stable-diffusion.cpp --requirement $<; \
	then touch $@; else echo "stable-diffusion.cpp could not be built; its row will say so"; fi

CASES ?=
DTYPES ?= f32 bf16
ROUNDS ?= 3

bench-peers: build $(CARGO_TARGET_DIR)/golden/installed $(bench)/installed ## The engine beside PyTorch and stable-diffusion.cpp: BENCHMARKS.md (hours; CASES, DTYPES, ROUNDS)
	$(CARGO_TARGET_DIR)/golden/bin/python -B bench/peers.py --engine $(release)/skiagraph-engine --desk $(bench) \
		--cases $(CASES) --dtypes $(DTYPES) --rounds $(ROUNDS)

$(bench)/imports/installed: bench/imports.txt
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --requirement $<
	touch $@

bench-import: build $(bench)/imports/installed ## Import of 1,000 radiographs beside a script of pydicom and Pillow (needs ../shared/data)
	rm -rf $(bench)/radiographs
	$(release)/skiagraph-engine dicom wrap --images ../shared/data/kermany224/images \
		--labels ../shared/data/kermany224/labels.csv --out $(bench)/radiographs --view AP --age-group child --default-aspect 1.41 --limit 1000
	$(bench)/imports/bin/python -B bench/imports.py --engine $(release)/skiagraph-engine --folder $(bench)/radiographs

clean: ## Remove what was built; data/ stays
	rm -rf $(CARGO_TARGET_DIR) web/dist web/node_modules
