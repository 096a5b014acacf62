#!/bin/sh
# Line, statement and branch coverage of the contracts; fails below 100 %.
# Hardhat counts lines and statements of both kinds of tests, forge the branches of the Solidity ones.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" HARDHAT_NETWORK=default

# What Hardhat compiles here has a call at every statement: nothing else may find it.
trap 'node_modules/.bin/hardhat clean; node_modules/.bin/hardhat build --no-tests --quiet' EXIT
node_modules/.bin/hardhat test --coverage
awk -F: '/^SF:.*contracts\// { file = $2 } /^DA:/ { split($2, hit, ","); if (hit[2] == 0) { print "not covered: " file ":" hit[1]; bad = 1 } } END { exit bad }' \
  coverage/lcov.info

node_modules/.bin/forge coverage --report summary --report lcov --no-match-coverage "tests/"
awk -F'[:,]' '/^SF:/ { file = $2 } /^BRDA:/ { if ($5 == 0 || $5 == "-") { print "branch not covered: " file ":" $2; bad = 1 } } END { exit bad }' lcov.info
