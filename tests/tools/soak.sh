#!/usr/bin/env bash
# `make soak`: the long trials, with kill -9 of the server and of PostgreSQL. They take PostgreSQL down
# with `postgres.sh restart`, which finds this cluster through PGNAME. Then random histories, many of them.
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
# Histories of notices against their model, ten times as many as `make test` has; what is due, and deliveries, under kill -9;
# and the worst inputs five times as long.
REGISTRY_MODEL_RUNS=${REGISTRY_MODEL_RUNS:-2000} REGISTRY_DUE_KILLS=${REGISTRY_DUE_KILLS:-60} \
  REGISTRY_DELIVERY_KILLS=${REGISTRY_DELIVERY_KILLS:-100} REGISTRY_HOSTILE_SCALE=${REGISTRY_HOSTILE_SCALE:-5} \
  cargo test --release --test it -- --nocapture --test-threads=1 notices::model notices::durable deliveries::durable hostile
