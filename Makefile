# make demo      embed the sample photos and name the report
# make test      all checks: ruff, mypy, import-linter, pytest
# make check-results  compare quality and ratios of speed with the committed figures; two minutes
# make package   build the distributions in dist/, check them, and try the wheels in new environments
# make lite      the wheel of latentloop-lite, which needs no PyTorch, in dist/
# make docs      build the documentation site in build/docs/site, and check its links
# make web       build the page that needs no server; needs Node 20 or newer
#
# The first three make .venv on their first run. PYTHON chooses the interpreter (3.11 or newer), TORCH the build of PyTorch:
#   make demo PYTHON=python3.12 TORCH="torch==2.13.0 --index-url ..."
# uv can install in place of pip; it finds the build of PyTorch by itself. TRY holds options of scripts/try_package.py:
#   UV_TORCH_BACKEND=cpu make package INSTALL="uv pip install --quiet --python .venv" TRY="--installer uv"
PYTHON ?= python3
TORCH ?= torch==2.13.0
DEMO_OUT ?= out/demo

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check-results package build docs lite web clean

demo: .venv/.installed
	$(BIN)/latentloop embed examples/photos --out $(DEMO_OUT)

test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check-results: .venv/.installed-dev
	$(BIN)/python scripts/check_results.py

package: build
	$(BIN)/python scripts/try_package.py dist --torch "$(TORCH)" $(TRY)

# The wheel is built from the source distribution, as whoever packages latentloop builds it.
build: .venv/.installed-dev
	rm -f dist/latentloop-* dist/latentloop_lite-*
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m build --wheel --outdir dist packaging/lite
	$(BIN)/twine check --strict dist/*

lite:
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist ./packaging/lite
	@ls dist/latentloop_lite-*.whl

docs: .venv/.installed-dev
	$(BIN)/python scripts/build_docs.py

web:
	cd web && npm ci --no-audit --no-fund && npm run build

clean:
	rm -rf .venv out build/docs web/node_modules

# PyTorch first and alone: whoever chose a build keeps it.
.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(INSTALL) $(TORCH)
	$(INSTALL) --editable .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(INSTALL) --editable '.[dev]'
	touch $@
