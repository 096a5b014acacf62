# Plain `make` lists the targets. `make demo` and `make test` need Python 3.11 or newer, and nothing else.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export HARDHAT_NETWORK := default
HARDHAT := node_modules/.bin/hardhat

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

demo: ## one record's whole life, on a chain of its own (RECORDS=FILE, KEEP=1, ENGINE=clique)
	@$(PYTHON) scripts/setup.py demo
	@said=$$($(HARDHAT) build --no-tests --quiet 2>&1 && node scripts/abi.js --check 2>&1) || { echo "$$said"; exit 1; }
	@xinglin demo $(if $(RECORDS),--records '$(RECORDS)') $(if $(KEEP),--keep) $(if $(ENGINE),--engine $(ENGINE))

test: ## everything that must hold: contracts, then Python
	@$(PYTHON) scripts/setup.py test
	$(HARDHAT) test
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: ## format, lint, types, import contracts, documents
	@$(PYTHON) scripts/setup.py test
	ruff format --check
	ruff check
	mypy
	pyright
	lint-imports
	python -m pytest tests/test_documentation.py tests/test_errors.py

bench: ## medians and ratios, beside a peer measured in the same run
	@$(PYTHON) scripts/setup.py test
	python tests/benchmarks/node_bench.py
	python tests/benchmarks/ml_bench.py
	python tests/benchmarks/headers_bench.py
	python tests/benchmarks/network_bench.py

gas: ## what each call of the contracts costs
	@$(PYTHON) scripts/setup.py demo
	node scripts/gas.js

abi: ## compile the contracts and write what Python deploys
	@$(PYTHON) scripts/setup.py demo
	$(HARDHAT) build --no-tests
	node scripts/abi.js

consortium: ## build go-ethereum with Clique, once, into .cache/bin
	@$(PYTHON) scripts/setup.py demo
	python scripts/build_geth.py

coverage: ## coverage of the contracts by lines and branches, and what Slither finds
	@$(PYTHON) scripts/setup.py test
	scripts/coverage.sh
	scripts/slither.sh

faults-network: ## kill, pause, part and wipe four real validators, and print what held
	@$(PYTHON) scripts/setup.py test
	python -m tests.faults

lock: ## resolve the pinned dependencies anew
	for set in "demo --extra node --extra ml" "test --extra node --extra ml --extra train --extra dev"; do \
	  set -- $$set; name=$$1; shift; \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	    pyproject.toml requirements/tools.in "$$@" -o requirements/$$name.txt; done
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	  requirements/go.in -o requirements/go.txt
	npm install --package-lock-only --silent

.PHONY: help demo test check bench gas abi consortium coverage faults-network lock
.DEFAULT_GOAL := help
