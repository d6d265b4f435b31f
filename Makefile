# Everything runs in virtual environments that make creates itself, of the exact versions in locks/: `make demo` and
# `make test` need nothing else.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALL := sh locks/install.sh $(PYTHON)
LOCKED := pyproject.toml locks/install.sh locks/uv.txt locks/torch.txt locks/torch-cpu.txt
IN_PARALLEL := $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile)

.PHONY: help demo test test-oldest test-newest test-slow test-ray test-postgres test-browser test-wheel engines test-vllm test-sglang test-clients lint format docs map api site bench chaos replica replica-scaling lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 14

# The demo's packages are among those of the tests, in the same versions, so they share an environment.
$(VENV)/.demo: $(LOCKED) locks/demo.txt
	$(INSTALL) $(VENV) demo
	@touch $@

$(READY): $(LOCKED) locks/dev.txt
	$(INSTALL) $(VENV) dev
	@touch $(READY) $(VENV)/.demo

# More for some tests, in the same environment: `make .venv/.ray`.
$(VENV)/.%: $(READY) locks/%.txt
	$(INSTALL) $(VENV) $*
	@touch $@

demo: $(VENV)/.demo ## real models sample, several strategies aggregate the same candidates, a table compares them
	$(BIN)/tts compare task:sums@size=600 --strategy first,majority,gsr -k 4 --store runs/demo.db

# Files of tests share models and environments among their tests, so a whole file goes to one process.
test: $(READY) ## the test suite without the slow parts, in two processes; JOBS=1 for one
	$(BIN)/python -m pytest -m "not slow" $(IN_PARALLEL)

test-oldest: .envs/oldest/.ready ## the same with the oldest versions that users may have (locks/oldest.txt)
	.envs/oldest/bin/python -m pytest -m "not slow" $(IN_PARALLEL)

# Weekly, or when a library has a new release. Warnings are counted and listed at the end.
test-newest: ## the same with the newest versions there are today
	rm -rf .envs/newest
	$(INSTALL) .envs/newest newest
	$(PYTHON) locks/versions.py .envs/newest
	.envs/newest/bin/python -m pytest -m "not slow" $(IN_PARALLEL) -o filterwarnings=default

.envs/oldest/.ready: $(LOCKED) locks/oldest.txt
	$(INSTALL) .envs/oldest oldest
	@touch $@

test-slow: $(VENV)/.smollm2 ## a real language model (SmolLM2-135M) and the other tests that need minutes
	$(BIN)/python -m pytest -m "slow and not ray and not postgres"

test-ray: $(VENV)/.ray ## models on a real Ray cluster of this machine, with actors that are killed
	$(BIN)/python -m pytest -m ray tests/backends/ray_

test-postgres: $(READY) ## stores in a real PostgreSQL that the tests start; installs Debian's where there is none (as root)
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb || { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; }
	$(BIN)/python -m pytest -m postgres tests/store

test-browser: $(READY) ## reports, views, documentation, the page of `tts serve` in a real headless Chromium; installs Debian's where there is none (as root)
	command -v chromium || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }
	$(BIN)/python -m pytest -m browser tests/report tests/view tests/docs tests/serve

test-wheel: $(READY) ## build the wheel, check its contents, run the core tests against it in a fresh environment
	sh tests/wheel.sh $(PYTHON) $(BIN)

engines: .engines/vllm/.ready .engines/sglang/.ready ## build the environments of the real engines (for CPUs: 4 GB and 2 GB, minutes)

# An engine pins torch and half the world, so it has an environment of its own.
.engines/%/.ready: $(LOCKED) locks/%.txt $(shell find engines -name '*.py')
	$(INSTALL) .engines/$* $*
	if [ -d engines/$* ]; then cp -r engines/$*/. .engines/$*/lib/python*/site-packages/; fi
	@touch $@

test-vllm: .engines/vllm/.ready ## the vllm backend on the real engine
	.engines/vllm/bin/python -m pytest -m vllm tests/engines

test-sglang: .engines/sglang/.ready ## the sglang backend on the real engine, and the openai backend before its server
	.engines/sglang/bin/python -m pytest -m sglang tests/engines

# Clients pin much, too, some of it to other versions than ours.
test-clients: .engines/clients/.ready ## tts serve asked by clients that others wrote: openai, litellm, llm, inspect_ai, lm-eval
	.engines/clients/bin/python -m pytest -m clients tests/serve

lint: $(READY) ## ruff, mypy and pyright strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/downstream
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(READY) ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY) ## write docs/strategies.md anew from what the strategies declare
	TTS_PLUGINS=strategies $(BIN)/tts plugins --cards > docs/strategies.md

map: $(READY) ## print the rooms with the arrows between them, fail on a circle, draw docs/assets/house.svg anew
	$(BIN)/python docs/structure.py --write

site: $(READY) ## build the documentation into build/site, warnings as errors; open build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

api: $(READY) ## write tests/api/surface.txt anew: the public names with their signatures
	$(BIN)/python tests/api/surface.py > tests/api/surface.txt

bench: $(READY) ## print the numbers of benchmarks/ (minutes; wants a quiet machine)
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/engine_overhead.py
	$(BIN)/python benchmarks/hf_throughput.py

chaos: $(READY) ## the fault matrix: runs that are killed, cut off, damaged, deceived (15 minutes); FLAGS="--only WORDS --seed N"
	$(BIN)/python tests/chaos/chaos.py $(FLAGS)

replica: $(READY) ## train the family of small models from nothing and print the paper's tables beside ours
	$(BIN)/python -m tts_trainers.replica --out runs/replica --jobs 2

replica-scaling: $(READY) ## the same with all sizes: adds the figure of the gap against model size
	$(BIN)/python -m tts_trainers.replica --out runs/replica --jobs 2 --sizes all

lock: locks/.env/.ready ## write locks/ anew with the newest versions that pyproject.toml and locks/*.in allow; then run the tests
	sh locks/lock.sh locks/.env $(KEEP)

locks/.env/.ready: locks/uv.txt
	$(PYTHON) -m venv locks/.env
	locks/.env/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
	@touch $@

clean: ## remove the environments and everything made
	rm -rf $(VENV) .engines .envs locks/.env build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
