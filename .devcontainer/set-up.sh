#!/usr/bin/env bash
# Prepares the development container: Chromium for the tests of the pages, and the environment of `make test`.
set -euo pipefail
sudo apt-get update -qq
sudo apt-get install -y -qq --no-install-recommends chromium
python -m pip install --user --quiet uv==0.13.9
make .venv/.installed-dev INSTALL="uv pip install --quiet --python .venv"
make web
.venv/bin/pre-commit install
