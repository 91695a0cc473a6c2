#!/usr/bin/env bash
# `make test`: every check of the project, in order, with the time each took. One that fails does not hide
# the next; a failed build ends the run, because nothing after it would tell anything new.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null
export PGNAME=test
export PGFAST=1 # what is tested of durability is the server's: the trials of `make soak` kill the database too
export PATH="$PWD/.tools/venv/bin:$PATH"

passed=0
failed=0
report=()
step() { # step NAME COMMAND...
  local name=$1 start=$SECONDS verdict=ok
  shift
  printf '\n=== %s\n' "$name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) verdict=FAILED; fi
  report+=("$(printf '%-6s %4d s  %s' "$verdict" $((SECONDS - start)) "$name")")
  [ "$verdict" = ok ]
}

finish() {
  tests/tools/postgres.sh stop || true
  printf '\n=== summary, %d s\n' "$SECONDS"
  printf '%s\n' "${report[@]}"
  printf 'steps: %d passed, %d failed\n' "$passed" "$failed"
}
trap finish EXIT
trap 'failed=$((failed + 1)); report+=("interrupted"); exit 130' INT TERM

breaking() {
  [ -f proto/baseline.binpb ] || {
    echo 'proto/baseline.binpb is missing: it is the published contract, restore it from git, or make the first one with: make baseline' >&2
    return 1
  }
  buf breaking --against proto/baseline.binpb
}
postgres() { # a fresh one, whatever an interrupted run left behind
  tests/tools/postgres.sh stop && tests/tools/postgres.sh start &&
    REGISTRY_TEST_POSTGRES_URL=$(tests/tools/postgres.sh url) && export REGISTRY_TEST_POSTGRES_URL
}

step install tests/tools/install.sh || exit 1
step format cargo fmt --all --check || true
step clippy cargo clippy --workspace --all-targets -- -D warnings || true
step 'buf lint' buf lint || true
step 'buf breaking' breaking || true
step postgres postgres || exit 1
# Not 'cargo build': the tests' own dependencies would make everything be built twice.
step build cargo test --workspace --no-run || exit 1
step 'cargo test' cargo test --workspace --no-fail-fast || true
# A file to each process at a time, because tests of a file share what they are about.
step 'python client' python -m pytest -q --tb=short -p no:cacheprovider --numprocesses 2 --dist loadfile tests/python || true
step 'readme lines' python tests/tools/readme_lines.py || true

[ "$failed" = 0 ]
