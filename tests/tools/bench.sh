#!/usr/bin/env bash
# `make bench`: the load bench on SQLite and on PostgreSQL (benches/README.md). What it is given goes to the bench:
#
#   tests/tools/bench.sh --rows 100,100000,1000000 --seconds 10 --markdown
#
# Filled databases are kept for the next run: SQLite's under target/, PostgreSQL's in a cluster of its own, which
# `make clean-tools` removes.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PGNAME=bench
unset PGFAST # what is measured is durable

tests/tools/install.sh
trap 'tests/tools/postgres.sh halt' EXIT
trap 'exit 130' INT TERM
tests/tools/postgres.sh start
REGISTRY_BENCH_POSTGRES_URL=$(tests/tools/postgres.sh url)
export REGISTRY_BENCH_POSTGRES_URL

cargo bench --bench load -- --database sqlite,postgres "$@"
