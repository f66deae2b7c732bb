# A thin face over cmake: each command says what it does and installs what it lacks. `make help` lists them.
BUILD ?= build
CMAKE_FLAGS ?=
JOBS ?= $(shell nproc)
SECONDS ?= 60
export KOP_CACHE ?= $(HOME)/.cache/libkop
export PATH := $(KOP_CACHE)/toolchains/bin:$(PATH)

.PHONY: all help deps deps-test configure run test test-asan test-ubsan test-tsan test-wire test-clients test-kafka \
  test-offset test-model test-pulsar pulsar pulsar-stop fuzz bench test-all docs abi abi-update package generate format clean

all: deps configure ## build build/kopd, build/libkop.so, build/libkop.a and the examples
	@echo "== build in $(BUILD)/"
	@cmake --build $(BUILD) -j $(JOBS)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

deps:
	@tools/install-deps.sh build

deps-test:
	@tools/install-deps.sh test

configure:
	@echo "== configure $(BUILD)/ $(CMAKE_FLAGS)"
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_FLAGS) > $(BUILD)/configure.log 2>&1 || \
	  { cat $(BUILD)/configure.log; exit 1; }

run: all ## build, then start kopd on localhost:9092 with its data in ./kopd-data
	@echo "== run $(BUILD)/kopd"
	@exec $(BUILD)/kopd

test: deps-test all ## build, then run every test that needs only Debian's packages
	@echo "== test"
	@ctest --test-dir $(BUILD) --output-on-failure --timeout 240

test-asan: ## `make test` under AddressSanitizer, in build-asan/
	@$(MAKE) --no-print-directory test BUILD=build-asan CMAKE_FLAGS="-DKOP_SANITIZE=address $(CMAKE_FLAGS)"

test-ubsan: ## `make test` under UndefinedBehaviorSanitizer, in build-ubsan/
	@$(MAKE) --no-print-directory test BUILD=build-ubsan CMAKE_FLAGS="-DKOP_SANITIZE=undefined $(CMAKE_FLAGS)"

test-tsan: ## `make test` under ThreadSanitizer, in build-tsan/
	@KOP_OFFSET_LOGS=100000 $(MAKE) --no-print-directory test BUILD=build-tsan CMAKE_FLAGS="-DKOP_SANITIZE=thread $(CMAKE_FLAGS)"

test-wire: deps-test all ## messages and record batches against Kafka's own Java classes, both ways
	@tools/install-toolchains.sh java
	@echo "== record batches"
	@BUILD=$(BUILD) tests/record/run
	@echo "== messages"
	@tests/wire/run.sh $(BUILD)

test-clients: deps-test ## real clients against kopd: CLIENT=name, STORE=memory|file, QUICK=1, SERVER=kafka (see tests/clients/run)
	@tools/install-toolchains.sh $(if $(QUICK),java python go)
	@[ "$(SERVER)" = kafka ] || $(MAKE) --no-print-directory all
	@KOPD=$(abspath $(BUILD))/kopd tests/clients/run

test-kafka: deps-test all ## the same requests to kopd and to Apache Kafka (its recorded answers; LIVE=1: a Kafka started now), every field compared
	@tools/install-toolchains.sh java
	@echo "== like Kafka"
	@KOPD=$(abspath $(BUILD))/kopd tests/likekafka/run $(if $(LIVE),--live)

test-pulsar: deps-test all ## against a real Pulsar and its native clients: CASE=prefix, QUICK=1, VERBOSE=1 (see tests/pulsar)
	@tools/install-toolchains.sh java python go
	@echo "== a real Pulsar"
	@BUILD=$(abspath $(BUILD)) tests/pulsar/run

pulsar: deps-test ## start a real Pulsar on 127.0.0.1:6650, admin on :8080, data in ./pulsar-data; VARIANT=: see tools/pulsar-server.sh
	@tools/install-toolchains.sh java
	@PULSAR_WEB=8080 tools/pulsar-server.sh start pulsar-data 6650 $(VARIANT)

pulsar-stop: ## stop it; its data stays
	@tools/pulsar-server.sh stop pulsar-data

test-offset: deps-test all ## searches over LOGS=1000000 random logs of a Pulsar topic, a few seconds
	@KOP_OFFSET_LOGS=$(or $(LOGS),1000000) $(BUILD)/unit_offset -j1 --filter 'random_logs/*'

test-model: deps-test ## the rule of the log checked with spin, the large searches included (see docs/offsets.md)
	@echo "== model"
	@tests/model/run all

fuzz: deps-test ## run each fuzz target for SECONDS=60, in build-fuzz/ (clang, ASan and UBSan)
	@$(MAKE) --no-print-directory all BUILD=build-fuzz CMAKE_FLAGS="-DCMAKE_C_COMPILER=clang -DKOP_BUILD_FUZZERS=ON \
	  -DKOP_BUILD_TESTS=OFF -DKOP_BUILD_EXAMPLES=OFF -DKOP_SANITIZE=address,undefined $(CMAKE_FLAGS)"
	@echo "== fuzz, $(SECONDS) s each"
	@tools/fuzz.sh build-fuzz $(SECONDS)

bench: deps all ## libkop beside its peers, 15 minutes; writes docs/figures.md. PART=broker, wire, record, store, convert or pulsar: only that
	@tools/install-toolchains.sh java
	@tests/bench/figures.py $(BUILD) $(PART)

test-all: ## everything above, whole; takes hours
	@for target in test test-asan test-ubsan test-tsan test-wire test-kafka test-offset test-model test-clients test-pulsar \
	  fuzz bench; do \
	  $(MAKE) --no-print-directory $$target || exit 1; done

docs: deps-test ## the reference of the public headers in build/docs/html, warnings are errors
	@echo "== docs"
	@mkdir -p $(BUILD)/docs
	@KOP_DOCS=$(BUILD)/docs doxygen docs/Doxyfile
	@echo "docs: $(BUILD)/docs/html/index.html"

abi: deps-test all ## compare the library's ABI with the baseline tests/abi/libkop.abi
	@tests/abi/compare.sh $(BUILD)

abi-update: deps-test all ## record the library's ABI as the baseline
	@tests/abi/compare.sh $(BUILD) --update

package: all ## build Debian packages and a tar archive into build/
	@echo "== package"
	@cd $(BUILD) && cpack -G "DEB;TGZ"

generate: deps-test ## run all generators; what they write is committed
	@for generator in tools/*/generate.py tools/gen-*.py; do echo "== $$generator"; python3 $$generator || exit 1; done

format: ## apply .clang-format to all hand-written C
	@tools/check/format.sh --fix

clean: ## remove the build folders
	rm -rf $(BUILD) build-ci build-asan build-ubsan build-tsan build-fuzz
