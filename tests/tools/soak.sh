#!/usr/bin/env bash
# `make soak`: the long trials, with kill -9 of the server and of PostgreSQL. They take PostgreSQL down
# with `postgres.sh restart`, which finds this cluster through PGNAME.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PGNAME=soak REGISTRY_SOAK=1
unset PGFAST # the trials are about durability

tests/tools/install.sh
trap 'tests/tools/postgres.sh stop' EXIT
trap 'exit 130' INT TERM
tests/tools/postgres.sh stop
tests/tools/postgres.sh start
REGISTRY_TEST_POSTGRES_URL=$(tests/tools/postgres.sh url)
export REGISTRY_TEST_POSTGRES_URL

cargo test --release --test soak -- --nocapture
