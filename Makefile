# Each target makes the virtual environment when it is missing, and needs nothing else done before it.
PYTHON ?= python3
# On a machine with an NVIDIA GPU or on arm64 the same line installs that platform's build. For another CUDA version
# install torch into .venv first, the way pytorch.org tells, then `make run`.
TORCH ?= torch==2.13.*
# Their networks are compared with ours. Without their dependencies: those would replace torch.
TWINS := timm torchvision
# `make test EXTRAS=dev,browser` runs the browser tests too, where a Chromium is installed.
EXTRAS ?= dev
VENV := .venv
READY := $(VENV)/.ready
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet

.PHONY: run test test-fuzz test-slow test-arm gpu lint format docs docs-check charts clean

run: $(READY)
	$(VENV)/bin/bench run --model shufflenetv2 --backend openvino

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal

# Mutated inputs for SECONDS, of which each follows from SEED and its number.
SEED ?= 1
SECONDS ?= 600
test-fuzz: $(READY)
	$(VENV)/bin/python -m tests.fuzz --seed $(SEED) --seconds $(SECONDS)

test-slow: $(READY)
	$(VENV)/bin/python -m pytest --slow

# Needs, on x86-64 Linux 6.7 or newer: apt-get install qemu-user-static debootstrap
test-arm: $(READY)
	$(VENV)/bin/python -m tests.arm.userland
	$(VENV)/bin/python -m pytest --arm tests/arm

# Proves the GPU path on a machine with an NVIDIA driver and a PYTHON whose torch has CUDA: docs/gpu.md. Installs nothing
# but packages that are missing, from WHEELS, beside the folder that it writes; ARGS=--dry-run prints the plan.
WHEELS ?=
gpu:
	@WHEELS='$(WHEELS)' $(PYTHON) -m tests.gpu $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(READY)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Renews the generated pages, and builds all of them into build/site, which opens from the disk.
docs: $(VENV)/.docs
	$(VENV)/bin/python docs/generate.py
	$(VENV)/bin/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env -d build/doctrees -b html docs build/site
	$(VENV)/bin/python docs/check_site.py build/site
	@echo 'build/site/index.html'

docs-check: $(READY)
	$(VENV)/bin/python docs/generate.py --check

# The pictures of README and docs/, from what is kept in results/ and was published of devices.
charts: $(READY)
	$(VENV)/bin/bench report results/epyc-vm-2core/zoo.csv --chart latency-flops --output docs/img/zoo-latency-flops.svg
	$(VENV)/bin/bench report results/epyc-vm-2core/zoo.csv --chart inversions --output docs/img/zoo-inversions.svg
	$(VENV)/bin/bench report results/epyc-vm-2core/runtimes.csv --chart side-by-side --output docs/img/runtimes.svg
	$(VENV)/bin/bench report results/epyc-vm-2core/profiles --chart breakdown --output docs/img/breakdown.svg
	$(VENV)/bin/bench report results/epyc-vm-2core/runtimes.csv --chart slopes --output docs/img/slopes-runtimes.svg
	$(VENV)/bin/bench report results/devices/epyc-vm-2core.csv --chart slopes --output docs/img/slopes-devices.svg
	$(VENV)/bin/python docs/generate.py --charts
	$(VENV)/bin/bench devices chart order --output docs/img/devices-order.svg
	$(VENV)/bin/bench devices chart pairs --output docs/img/devices-pairs.svg

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); this takes a minute or two the first time"
	$(PIP) '$(TORCH)'
	$(PIP) --editable '.[$(EXTRAS)]'
	$(PIP) --no-deps $(TWINS)
	touch $(READY)

$(VENV)/.docs: $(READY)
	$(PIP) --editable '.[docs]'
	touch $(VENV)/.docs

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
