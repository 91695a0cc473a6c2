#!/usr/bin/env bash
# What the tests of clients in other languages need (tests/python/test_clients.py): plugins of protoc from Debian, and
# the npm packages of the examples. install.sh calls it; a second run only looks.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() { printf 'clients-install.sh: %s\n' "$*" >&2; exit 1; }

command -v npm >/dev/null || fail 'npm is missing: install Node.js 20 or newer'

packages() { # in the background: npm needs the network while apt needs the disk
  local example lock
  for example in typescript browser; do
    lock=$(sha256sum <"examples/clients/$example/package-lock.json")
    [ "$(cat "examples/clients/$example/node_modules/.stamp" 2>/dev/null)" != "$lock" ] || continue
    npm ci --prefix "examples/clients/$example" --silent --no-audit --no-fund
    printf '%s\n' "$lock" >"examples/clients/$example/node_modules/.stamp"
  done
}
packages &
npm=$!

lacking() { # prints the Debian packages whose programs are not there
  command -v protoc >/dev/null || echo protobuf-compiler
  command -v grpc_java_plugin protoc-gen-grpc-java >/dev/null || echo protobuf-compiler-grpc-java-plugin
  command -v protoc-gen-go >/dev/null || echo protoc-gen-go
  command -v protoc-gen-go-grpc >/dev/null || echo protoc-gen-go-grpc
}
read -ra wanted < <(lacking | tr '\n' ' '; echo)
if [ "${#wanted[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null ||
    fail "these Debian packages, or what your system calls them, are missing: ${wanted[*]}"
  [ "$(id -u)" = 0 ] ||
    fail "system packages are missing, run: sudo apt-get update && sudo apt-get install -y ${wanted[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -yq --no-install-recommends "${wanted[@]}"
fi
wait "$npm" || fail 'npm ci failed'
