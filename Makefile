# `make` lists what there is. Everything runs in .venv, which the first command that needs it installs.
#
# PYTHON           the python to build .venv with
# PROFILE          how long `make reproduce` may take: quick, cpu or gpu
# TORCH_INDEX_URL  where torch comes from, if not from pip's usual index (the CPU build, or another CUDA)
# PYTEST_ARGS      more for pytest, for instance PYTEST_ARGS="-m 'not slow'"
# MUTANTS          more for tests/support/mutate.py, for instance MUTANTS="labels guidance --most 30"
# PYTHONS          the Pythons that `make anywhere` tries
# URL              for `make address`
# REVEAL           for `make slides`
# ONLY             for `make nbval` and `make anywhere`: numbers of notebooks
# LOWEST_PYTHON    the lowest Python that is promised, as a version or a path, for `make lower-bounds`

PYTHON ?= python3
PROFILE ?= quick
TORCH_INDEX_URL ?=
REVEAL ?=
ONLY ?=
PYTEST_ARGS ?=
MUTANTS ?=
LOWEST_PYTHON ?= 3.10
PYTHONS ?= 3.10 3.11 3.12 3.13
URL ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_INSTALL := $(PIP) install --quiet -c constraints.txt
LOWEST := .venv-lowest
LOWEST_INSTALL := $(BIN)/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct

.DEFAULT_GOAL := help
.PHONY: help install reproduce teacher site slides nbval wheel anywhere address ledger test soak mutants lab app notebooks lint format tree benchmark lower-bounds clean

help: ## list these commands
	@echo "sdm_lite: make COMMAND, of which"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo "The first one that needs it installs everything into $(VENV) (about 2 GB; with a CUDA torch about 6 GB)."

install: $(STAMP) ## install the package and all it needs into .venv, in the tested versions

# torch comes first and alone, so that nothing that follows can choose another one. torchvision, which only lpips and
# torch-fidelity need, stays only where it can be imported: its PyPI build does not load beside a CPU-only torch, and a
# torchvision that does not load breaks whatever looks for it. Hence these two without their dependencies: the others
# are in [dev].
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' 2>/dev/null || { \
	  echo "error: the tested versions need Python 3.11.5 or newer, and $(PYTHON) is" \
	    "$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null || echo missing or broken)." \
	    "Say which one to use, for instance: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12" >&2; \
	  exit 1; }
	@test -x $(BIN)/pip || { echo "Creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing torch (1 of 3)"
	@$(PIP_INSTALL) $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) torch numpy
	@echo "Installing torchvision, where it fits (2 of 3)"
	@$(PIP_INSTALL) $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) torchvision \
	  && $(BIN)/python -W ignore -c 'import torchvision' 2>/dev/null \
	  || { $(PIP) uninstall --quiet --yes torchvision; \
	    echo "note: no torchvision could be had that loads beside this torch. Only LPIPS and FID by Inception need it."; }
	@echo "Installing sdm_lite and its tools (3 of 3)"
	@$(PIP_INSTALL) setuptools
	@$(PIP_INSTALL) --no-build-isolation --editable '.[lab,dev]'
	@$(PIP_INSTALL) --no-deps lpips torch-fidelity
	@touch $@

reproduce: $(STAMP) ## run the notebooks in order and write the report (PROFILE=quick, cpu or gpu)
	$(BIN)/python -m sdm_lite.reproduce --profile $(PROFILE)

site: $(STAMP) ## write the course as pages into site/: with search and a slider, no kernel, no server, no network
	$(BIN)/python -m sdm_lite.reproduce --site site

teacher: $(STAMP) ## write the teacher's edition of the notebooks, with an answer to each exercise, to reports/teacher
	$(BIN)/python -m sdm_lite.reproduce --teacher reports/teacher

ledger: $(STAMP) ## join the last run and the stored runs: docs/ledger.md, data/ledger.json, the README's table
	$(BIN)/python -m sdm_lite.reproduce --ledger

test: lint ## lint, then all tests, the notebooks in a very short profile among them
	$(BIN)/python -m pytest $(PYTEST_ARGS)

soak: $(STAMP) ## execute the notebooks that have widgets 50 times in a row: a hang shows only now and then
	$(BIN)/python tests/reproduce/soak.py

mutants: $(STAMP) ## make deliberate mistakes in the core, one at a time, and list those that no test sees (docs/mutation.md)
	$(BIN)/python tests/support/mutate.py $(MUTANTS)

# Jupyter refuses root, as whom one is in a container, unless it is told that this is meant.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

lab: $(STAMP) ## open JupyterLab in notebooks/
	cd notebooks && ../$(BIN)/python -m jupyterlab $(AS_ROOT)

app: $(STAMP) ## open the app: paint maps and see pictures, a page without code
	$(BIN)/python -m sdm_lite.app

notebooks: $(STAMP) ## run the notebooks and refresh their committed outputs
	$(BIN)/python -m sdm_lite.reproduce --refresh

lint: $(STAMP) ## check style and formatting
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(STAMP) ## put style and formatting right where that is mechanical
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(MAKE) --no-print-directory tree

tree: $(STAMP) ## write the tree of the README and the rooms of docs/design.md anew
	$(BIN)/python tests/support/readme_tree.py

benchmark: $(STAMP) ## measure training and sampling speed
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# What pyproject.toml promises at least, where .venv has what is tested together. torch comes first and alone, as above.
lower-bounds: $(STAMP) ## install the lowest promised versions into .venv-lowest and run the quick tests there
	@$(PIP_INSTALL) uv
	$(BIN)/uv venv --quiet --clear --python $(LOWEST_PYTHON) $(LOWEST)
	$(LOWEST_INSTALL) --no-deps $(if $(TORCH_INDEX_URL),--default-index $(TORCH_INDEX_URL)) \
	  $$(sed -n 's/^ *"\(torch>=.*\)",$$/\1/p; s/^ *"\(numpy>=.*\)",$$/\1/p' pyproject.toml)
	$(LOWEST_INSTALL) --editable '.[notebooks,train]'
	$(BIN)/uv pip install --quiet --python $(LOWEST) hypothesis packaging pytest 'scipy<1.16'  # a later one moves numpy
	$(BIN)/uv pip list --quiet --python $(LOWEST)
	$(LOWEST)/bin/python -m pytest -W default -m "not slow and not notebooks and not browser" $(PYTEST_ARGS) \
	  --ignore tests/house --ignore tests/browser tests

slides: $(STAMP) ## write a deck of slides for each notebook into slides/ (REVEAL=folder of reveal.js, else the network)
	$(BIN)/python -m sdm_lite.reproduce --slides slides $(if $(REVEAL),--reveal $(REVEAL))

nbval: $(STAMP) ## are the committed outputs of the notebooks' marked cells what comes out today? (ONLY="03 18": these)
	$(BIN)/python tests/support/nbval_run.py $(ONLY)

wheel: $(STAMP) ## build dist/sdm_lite-*.whl: put it beside a notebook where the repository is not public (Colab)
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# Not part of `make test`: it fetches a torch for each Python. TORCH, ONLY, LIKE_COLAB: tests/support/anywhere.sh.
anywhere: $(STAMP) ## run the notebooks from a wheel, from another folder, in a fresh environment for each of PYTHONS
	@$(PIP_INSTALL) uv
	ONLY="$(ONLY)" TORCH_INDEX_URL="$(TORCH_INDEX_URL)" tests/support/anywhere.sh runs/anywhere $(BIN)/uv $(PYTHONS)

address: $(STAMP) ## write another address of the package wherever it stands (URL=https://github.com/OWNER/NAME)
	$(BIN)/python tests/support/address.py $(URL)

clean: ## remove caches, builds, pages and what notebooks wrote (not .venv, .venv-lowest, runs/ or reports/)
	rm -rf build dist site slides sdm_lite.egg-info .pytest_cache .ruff_cache .hypothesis notebooks/output output
	find sdm_lite tests notebooks benchmarks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
