#!/bin/sh
# Runs one of the programs beside this file: ./run.sh tour.py organizations/crescendo
# The first time it makes a virtual environment and the generated code; PYTHON names an environment that is there already.
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
proto=$here/../../../proto
python=${PYTHON:-$here/.venv/bin/python}
if [ -z "${PYTHON:-}" ] && [ ! -x "$python" ]; then
  python3 -m venv "$here/.venv"
  "$python" -m pip install --quiet --requirement "$here/requirements.txt"
fi
if [ ! -d "$here/gen" ] || [ -n "$(find "$proto" -name '*.proto' -newer "$here/gen" | head -n 1)" ]; then
  rm -rf "$here/gen"
  mkdir "$here/gen"
  find "$proto" -name '*.proto' -exec "$python" -m grpc_tools.protoc "-I$proto" \
    "--python_out=$here/gen" "--pyi_out=$here/gen" "--grpc_python_out=$here/gen" {} + ||
    { rm -rf "$here/gen"; exit 1; }
fi
program=$1
shift
PYTHONPATH=$here/gen exec "$python" "$here/$program" "$@"
