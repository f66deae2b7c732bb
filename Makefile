# A thin face over cmake; `make help` lists the commands.
BUILD ?= build
CMAKE_FLAGS ?=
export KOP_CACHE ?= $(HOME)/.cache/libkop

.PHONY: all help deps deps-test configure run test format clean

all: deps configure ## build build/kopd, build/libkop.so, build/libkop.a
	@echo "== build"
	@cmake --build $(BUILD)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 24

deps:
	@tools/install-deps.sh build

deps-test:
	@tools/install-deps.sh test

configure:
	@echo "== configure"
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }

run: all ## build, then start kopd on localhost:9092
	$(BUILD)/kopd

test: deps-test all ## build, then run every test that needs only Debian's packages
	@echo "== test"
	@ctest --test-dir $(BUILD) --output-on-failure

format: ## apply .clang-format to all hand-written C
	@git ls-files '*.c' '*.h' | grep -v /gen/ | xargs clang-format -i

clean: ## remove the build folder
	rm -rf $(BUILD) $(BUILD).log
