#!/bin/sh
# Runs Slither over the contracts alone, in an environment of its own; fails on any finding.
# What is excluded, and why: contracts/slither.md.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
if [ ! -x .venv-slither/bin/slither ]; then
  uv venv -q .venv-slither
  VIRTUAL_ENV="$PWD/.venv-slither" uv pip install -q slither-analyzer==0.11.6
fi
node_modules/.bin/hardhat clean
node_modules/.bin/hardhat build --no-tests --quiet
.venv-slither/bin/slither . --config-file slither.config.json
