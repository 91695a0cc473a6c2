"""What the tests of the chart share: the tools, the sets of values in helm/ci, and what they render to."""

import functools
import json
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
CHART = ROOT / "helm"
HELMS = ("helm3", "helm4")
SETS = sorted(CHART.glob("ci/*-values.yaml"))
NAMESPACE = "registry"
# The least that can be installed.
MINIMAL = {"config": {"server": {"insecure_no_auth": True}}, "secrets": {"databaseUrl": {"existingSecret": "database"}}}


def helm(*arguments, version="helm4", values=None):
    """Runs helm; `values` come last, and win."""
    last = [] if values is None else ["--values", "-"]
    return subprocess.run(
        [TOOLS / version, *arguments, *last],
        input=None if values is None else json.dumps(values),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def template(*arguments, **options):
    return helm("template", "trial", CHART, "--namespace", NAMESPACE, *arguments, **options)


def documents(done):
    """What was rendered, by kind and name."""
    assert done.returncode == 0, done.stderr
    found = [document for document in yaml.safe_load_all(done.stdout) if document]
    named = {(document["kind"], document["metadata"]["name"]): document for document in found}
    assert len(named) == len(found), "two resources of one name"
    return named


@functools.cache
def rendered(path, version="helm4"):
    """A set of values as helm renders it."""
    return documents(template("--values", path, version=version))


def of_kind(resources, kind):
    return [resource for (its_kind, _), resource in resources.items() if its_kind == kind]


def one(resources, kind):
    found = of_kind(resources, kind)
    assert len(found) == 1, f"{len(found)} of kind {kind}"
    return found[0]


def pod_of(resource):
    return resource["spec"] if resource["kind"] == "Pod" else resource["spec"]["template"]["spec"]


def refusal(values, version="helm4"):
    """What helm says when it does not take the values."""
    done = template(values=values, version=version)
    assert done.returncode != 0, "these values were taken"
    return done.stderr


def merged(base, change):
    """A copy of nested dictionaries with some keys changed."""
    result = dict(base)
    for key, value in change.items():
        deeper = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if deeper else value
    return result
