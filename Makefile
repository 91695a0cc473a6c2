# Every target installs what it needs first (tests/tools/install.sh), or says what to run and fails.
.PHONY: help test soak bench clients fmt reference screenshots baseline clean-tools

help:
	@echo 'make test         every check: format, clippy, buf, tests on SQLite and PostgreSQL, README lines'
	@echo 'make soak         the long trials: kill -9 under load'
	@echo 'make bench        the load bench on both databases, with a table at the end (BENCH="--rows 1000000 …")'
	@echo 'make clients      the contract as Python, TypeScript, Go and Java (LANGUAGES="python go": only these)'
	@echo 'make fmt          format the code and the contract'
	@echo 'make reference    docs/reference, made from the code'
	@echo 'make screenshots  docs/images, made from the pages'
	@echo 'make baseline     publish the contract: what buf breaking compares with from now on'
	@echo 'make clean-tools  remove .tools/ and the test clusters'

test:
	@tests/tools/test.sh

soak:
	@tests/tools/soak.sh

bench:
	@tests/tools/bench.sh $(BENCH)

clients:
	@tests/tools/clients.sh $(LANGUAGES)

fmt:
	@tests/tools/install.sh
	cargo fmt --all
	.tools/venv/bin/buf format --write

reference:
	REGISTRY_WRITE_REFERENCE=1 cargo test --quiet --test reference

screenshots:
	@tests/tools/install.sh
	cargo build --quiet
	.tools/venv/bin/python tests/tools/screenshots.py

baseline:
	@tests/tools/install.sh
	.tools/venv/bin/buf build --output proto/baseline.binpb

clean-tools:
	@for state in .tools/pg-*; do [ ! -e "$$state" ] || PGNAME="$${state#.tools/pg-}" tests/tools/postgres.sh stop; done
	rm -rf .tools
