#!/usr/bin/env bash
# `make clients`: the contract in other languages, under target/clients, as buf.gen.yaml says.
#
#   tests/tools/clients.sh                all of them
#   tests/tools/clients.sh python go      only these
#
# Nothing is installed from here: what is missing is named, with what to run, and nothing is made.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/target/clients/.bin
# What the tests have installed already is good enough; what the user has is, too.
export PATH="$tools:$PWD/.tools/venv/bin:$PWD/examples/clients/typescript/node_modules/.bin:$PATH"
read -ra languages <<<"${*:-python typescript go java}"

missing=()
need() { # need WHAT-TO-RUN PROGRAM...: every program, or one line that says how to get it
  local how=$1 program
  shift
  for program; do
    command -v "$program" >/dev/null || { missing+=("$program: $how"); }
  done
}

# Debian gives Java's plugin a name of its own.
mkdir -p "$tools"
if ! command -v protoc-gen-grpc-java >/dev/null && command -v grpc_java_plugin >/dev/null; then
  ln -sf "$(command -v grpc_java_plugin)" "$tools/protoc-gen-grpc-java"
fi

need 'pip install buf-bin, or npm install --global @bufbuild/buf' buf
for language in "${languages[@]}"; do
  case $language in
    python)
      python3 -c 'import grpc_tools' 2>/dev/null || missing+=('grpc_tools: pip install grpcio-tools')
      ;;
    typescript)
      need 'npm ci --prefix examples/clients/typescript' protoc-gen-es
      ;;
    go)
      need 'apt-get install protoc-gen-go, or go install google.golang.org/protobuf/cmd/protoc-gen-go@latest' \
        protoc-gen-go
      need 'apt-get install protoc-gen-go-grpc, or go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest' \
        protoc-gen-go-grpc
      ;;
    java)
      need 'apt-get install protobuf-compiler' protoc
      need 'apt-get install protobuf-compiler-grpc-java-plugin, or io.grpc:protoc-gen-grpc-java from Maven Central' \
        protoc-gen-grpc-java
      ;;
    *)
      printf 'clients.sh: %s: there are python, typescript, go and java\n' "$language" >&2
      exit 2
      ;;
  esac
done
if [ "${#missing[@]}" -gt 0 ]; then
  printf 'clients.sh: missing, and how to get it:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi

template() { # template LANGUAGE: buf.gen.yaml with the plugins of one language
  awk -v out="target/clients/$1" '
    /^  - / { plugin = "" }
    /^  (- |  )/ { plugin = plugin $0 "\n"; if ($1 == "out:" && $2 == out) printf "%s", plugin; next }
    { print }' buf.gen.yaml
}
for language in "${languages[@]}"; do
  buf generate --template "$(template "$language")"
  printf 'target/clients/%s: %d files\n' "$language" "$(find "target/clients/$language" -type f | wc -l)"
done
