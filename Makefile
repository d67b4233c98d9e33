# What one types in a checkout. Each target prepares .venv itself; once that is done it costs nothing.

PYTHON  ?= python3
JOBS    ?= 2
# What the demo and the tests need besides the light core: extras of pyproject.toml.
ENGINES ?= data,eval,gguf,merge,onnx,serve,train

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The bindings of llama.cpp are installed without a build of their own: the toolchain brings the libraries, and the tools.
export CMAKE_ARGS := -DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF
bin     := .venv/bin
# What is imported is compiled then: compiling all that the engines bring takes a minute.
install := $(bin)/pip install --quiet --no-compile --constraint constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL: # one pip at a time
.PHONY: help demo demo-plan demo-tools test test-fast check torture toolchain bench peers pins clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The philosophers, rehearsed at toy size by the very scripts that would make the real ones.
DEMO    := specs/philo-free.yml

demo: demo-plan demo-tools .venv/engines ## rehearse a whole graph from nothing: data, training, GGUF, exam; then ask what came out
	$(bin)/zyc build $(DEMO) --twin
	$(bin)/zyc report $(DEMO) --twin
	$(bin)/zyc build $(DEMO) --twin
	@echo
	@$(bin)/zyc ask philo-free --brief --twin

# The light core is enough for a plan: one reads it while the engines install.
demo-plan: .venv/core
	$(bin)/zyc plan $(DEMO)

# llama.cpp is compiled beside all that; a step that needs it waits for it.
demo-tools: .venv/core
	@$(bin)/python templates/lib/llama_home.py build >.venv/toolchain.log 2>&1 &

test: .venv/test toolchain ## all tests but the heavy ones: what CI runs
	$(bin)/pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

test-fast: .venv/test ## the tests that a person waits for
	$(bin)/pytest -n $(JOBS) -m "not slow and not torture"

torture: .venv/test toolchain ## the heavy runs: reliability, twins of every family, whole systems
	$(bin)/pytest -m torture

toolchain: .venv/engines ## fetch and build llama.cpp, once for this machine, in ~/.cache/zyc
	$(bin)/python templates/lib/llama_home.py build

check: .venv/check ## lint, format, types, layers
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy zyc
	$(bin)/lint-imports

bench: ## how the benchmarks are run
	@echo 'After `make peers .venv/test`, one command a budget; each prints its figure last. The one called report.py runs them'
	@echo 'all, or those that it is told, and writes the tables of docs/performance.md:'
	@for each in $(sort $(wildcard benchmarks/*.py)); do echo "  $(bin)/python $$each"; done

peers: .venv-peers/ready ## the build tools that zyc is timed against
	@.venv-peers/bin/ninja --version
	@.venv-peers/bin/snakemake --version
	@.venv-peers/bin/dvc --version

pins: .venv/check ## complete constraints.txt
	$(bin)/python .ci/pins.py

clean: ## remove environments and caches; artifacts/ stays
	rm -rf .venv .venv-peers .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# Each stamp is an environment that holds what its name says. Dependency groups need pip 25.1.
.venv/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(bin)/pip install --quiet --upgrade "pip>=25.1"
	$(install) --editable .
	@touch $@

# `fast` is compiled on the spot; where that fails, the pure parser reads the specs.
.venv/engines: .venv/core Makefile
	-$(install) --editable '.[fast]'
	$(if $(ENGINES),$(install) --editable '.[$(ENGINES)]')
	@touch $@

.venv/test .venv/check: .venv/%: .venv/engines
	$(install) --group $*
	@touch $@

.venv-peers/ready: benchmarks/peers-requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --upgrade pip
	.venv-peers/bin/pip install --quiet --requirement $<
	@touch $@
