"""What a scanner of security finds in what the chart renders: nothing, but for what is justified here."""

import json
import subprocess

import pytest
import yaml
from chart import SETS, TOOLS, documents, template

# Nothing is published yet whose digest could be the default; an operator names one by `image.digest`.
DIGEST = "sha256:" + "0" * 64
JUSTIFIED = {
    # `helm test` makes a pod that asks one question and ends: there is nothing to watch.
    *((check, path.name, "Pod") for path in SETS for check in ("CKV_K8S_8", "CKV_K8S_9")),
    # This set shows that a database's URL can come from a variable. By itself the chart mounts files.
    ("CKV_K8S_35", "external-values.yaml", "Deployment"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of all sets in one run, because starting takes the scanner longer than scanning."""
    directory = tmp_path_factory.mktemp("manifests")
    for path in SETS:
        resources = documents(template("--values", path, "--set", f"image.digest={DIGEST}"))
        (directory / path.name).write_text(yaml.safe_dump_all(resources.values()))
    # It would ask its maker for texts to its checks.
    options = ["--framework", "kubernetes", "--output", "json", "--skip-download"]
    command = [TOOLS / "chart/bin/checkov", "--directory", directory, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def test_nothing_is_found(report):
    assert report["summary"]["passed"] > 1000 and report["summary"]["parsing_errors"] == 0
    assert report["summary"]["skipped"] == 0, "what is left out stands here, and nowhere else"
    found = {
        (check["check_id"], check["file_path"].lstrip("/"), check["resource"].split(".")[0])
        for check in report["results"]["failed_checks"]
    }
    assert found == JUSTIFIED
