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
  [ -z "${installing-}" ] || kill "$installing" 2>/dev/null || true
  if [ -f "${log-}" ]; then # what failed before may only hide that this did
    printf '\n=== install, as far as it came\n'
    cat "$log"
    rm -f "$log"
  fi
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

# What is installed comes over the network, what is built needs the processor: both at once. To build, only a C compiler
# is needed, and the lints, of which the installation says how they are had.
log=$(mktemp)
tests/tools/install.sh >"$log" 2>&1 &
installing=$!
installed() { # shows what the installation said, whether or not it went well
  local status=0
  wait "$installing" || status=$?
  installing=
  cat "$log"
  rm -f "$log"
  return "$status"
}
if ! command -v cc >/dev/null || ! command -v clippy-driver >/dev/null; then
  step install installed || exit 1
fi
step format cargo fmt --all --check || true
# Clippy is the compiler of what is tested: on its own, it would check five hundred dependencies that are built all the
# same. Not 'cargo build': the tests' own dependencies would make everything be built twice.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver
export CLIPPY_ARGS='-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__'
step 'clippy and build' cargo test --workspace --all-targets --no-run || exit 1
[ -z "$installing" ] || step install installed || exit 1
step 'buf lint' buf lint || true
step 'buf breaking' breaking || true
step postgres postgres || exit 1
step 'cargo test' cargo test --workspace --no-fail-fast || true
# A file to each process at a time, because tests of a file share what they are about.
step 'python client' python -m pytest -q --tb=short -p no:cacheprovider --numprocesses 2 --dist loadfile tests/python || true
step 'readme lines' python tests/tools/readme_lines.py || true

[ "$failed" = 0 ]
