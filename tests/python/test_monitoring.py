"""The alerts and the dashboard: they ask for metrics that there are, in a language that Prometheus understands."""

import json
import re
import subprocess

import pytest
import yaml
from chart import CHART, MINIMAL, ROOT, SETS, TOOLS, documents, merged, of_kind, one, rendered, template

# What a server exports, each with its labels. Histograms have `_bucket`, `_sum` and `_count`, and the label `le`.
CALL = {"grpc_type", "grpc_service", "grpc_method"}
GAUGES_AND_COUNTERS = {
    "grpc_server_started_total": CALL,
    "grpc_server_msg_received_total": CALL,
    "grpc_server_msg_sent_total": CALL,
    "grpc_server_handled_total": CALL | {"grpc_code"},
    "subprocessor_registry_pool_connections": {"pool", "state"},
    "subprocessor_registry_pool_max_connections": {"pool"},
    "subprocessor_registry_writer_queue_depth": set(),
    "subprocessor_registry_revision": set(),
    "subprocessor_registry_watch_streams": set(),
    "subprocessor_registry_watch_lag_revisions": set(),
    "subprocessor_registry_outbox_depth": {"channel", "state"},
    "subprocessor_registry_outbox_oldest_age_seconds": set(),
    "subprocessor_registry_outbox_lag_revisions": set(),
    "subprocessor_registry_delivery_attempts_total": {"channel", "result"},
    "subprocessor_registry_notices": {"state"},
    "subprocessor_registry_findings": {"severity"},
    "subprocessor_registry_build_info": {"version"},
}
HISTOGRAMS = {
    "rpc_server_call_duration_seconds": {"rpc_system_name", "rpc_method", "rpc_response_status_code"},
    "grpc_server_handling_seconds": CALL,
    "subprocessor_registry_writer_batch_size": set(),
    "subprocessor_registry_writer_commit_duration_seconds": set(),
    "subprocessor_registry_delivery_duration_seconds": {"channel"},
}
# What Prometheus, and what looks at the cluster for it, say by themselves.
OTHERS = {"up": set(), "kube_deployment_status_replicas_ready": {"deployment"}}
TARGET = {"job", "namespace", "instance"}
EXPORTED = {
    **GAUGES_AND_COUNTERS,
    **{name + part: labels | {"le"} for name, labels in HISTOGRAMS.items() for part in ("_bucket", "_sum", "_count")},
    **OTHERS,
}
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
UNIT_TESTS = ROOT / "tests/data/chart/alerts_test.yaml"


def rules():
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries():
    """Every expression, with where it stands. What Grafana puts for its variables does not matter here."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def promtool(*arguments):
    return subprocess.run([TOOLS / "promtool", *arguments], capture_output=True, text=True, timeout=60)


def asked(expression):
    """The metrics that it asks for, with the labels that it names of each."""
    for name, matchers in re.findall(r"\b([a-z]\w*)\{([^}]*)\}", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def test_metrics_that_are_asked_for_are_exported():
    seen = set()
    for where, expression in queries():
        found = list(asked(expression))
        assert found, f"{where}: no metric in {expression}"
        for name, labels in found:
            assert name in EXPORTED, f"{where}: {name}"
            assert labels <= EXPORTED[name] | TARGET, f"{where}: {name} has no {labels - EXPORTED[name] - TARGET}"
            seen.add(name)
        # `by (…)` and `on (…)` name labels too.
        every = set().union(TARGET, *(EXPORTED[name] for name, _ in found))
        for names in re.findall(r"\b(?:by|on|group_right|without)\s*\(([^)]*)\)", expression):
            assert {name.strip() for name in names.split(",") if name.strip()} <= every, f"{where}: {expression}"
        # Each is narrowed to one release: another's must not fire this one's alert.
        without = re.sub(r"\w+\{[^}]*\}", "", expression)
        assert not [name for name in EXPORTED if re.search(rf"\b{name}\b", without)], f"{where}: {expression}"
    ours = {name for name in seen if name.startswith("subprocessor_registry_")}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in ours} == {
        name for name in [*GAUGES_AND_COUNTERS, *HISTOGRAMS] if name.startswith("subprocessor_registry_")
    }, "what is exported is looked at"


def test_prometheus_understands_them(tmp_path):
    """Panels too: as rules, because promtool checks those."""
    panel_rules = [
        {"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(queries())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": panel_rules}]}))
    done = promtool("check", "rules", CHART / "files/alerts.yaml", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f"SUCCESS: {len(panel_rules)} rules found") == 1


def test_alerts_fire_and_do_not():
    done = promtool("test", "rules", UNIT_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = {
        test["alertname"] for group in yaml.safe_load(UNIT_TESTS.read_text())["tests"]
        for test in group["alert_rule_test"] if test["exp_alerts"]
    }  # fmt: skip
    assert tested == {rule["alert"] for rule in rules()}, "each alert is seen to fire"


def test_alerts_say_what_to_do():
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["alert"].startswith("Registry")


@pytest.mark.parametrize("path", [path for path in SETS if "prometheusRule" in path.read_text()], ids=lambda path: path.stem)
def test_rendered_rules_are_the_releases_own(path, tmp_path):
    resources = rendered(path)
    spec = one(resources, "PrometheusRule")["spec"]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(spec))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    deployment = one(resources, "Deployment")["metadata"]["name"]
    # The `job` of what is scraped is the value of this label of the Service.
    monitor = one(resources, "ServiceMonitor")["spec"]
    service = resources["Service", f"{deployment}-metrics"]
    job = service["metadata"]["labels"][monitor["jobLabel"]]
    for rule in spec["groups"][0]["rules"]:
        for name, _ in asked(rule["expr"]):
            if name in OTHERS and name != "up":
                assert f'{name}{{deployment="{deployment}", namespace="registry"' in rule["expr"]
            else:
                assert re.search(rf'{name}{{job="{job}", namespace="registry"', re.sub(r"\s+", " ", rule["expr"])), rule


def test_alerts_that_are_left_out_and_added():
    names = {rule["alert"] for rule in rules()}
    change = {"enabled": True, "disabled": ["RegistrySlow"], "alertLabels": {"team": "privacy", "severity": "page"},
              "extraRules": [{"alert": "Mine", "expr": "up == 0", "labels": {}, "annotations": {}}]}  # fmt: skip
    groups = one(documents(template(values=merged(MINIMAL, {"prometheusRule": change}))), "PrometheusRule")["spec"]["groups"]
    kept = groups[0]["rules"]
    assert {rule["alert"] for rule in kept} == names - {"RegistrySlow"}
    assert all(rule["labels"] == {"severity": "page", "team": "privacy"} for rule in kept)
    assert [rule["alert"] for rule in groups[1]["rules"]] == ["Mine"]


def test_a_disabled_alert_exists():
    for path in SETS:
        disabled = yaml.safe_load(path.read_text()).get("prometheusRule", {}).get("disabled", [])
        assert set(disabled) <= {rule["alert"] for rule in rules()}


# --- The dashboard


def test_the_dashboard_is_whole():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({panel["title"] for panel in panels()}) == len(panels())
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, f"{panel['title']} lies upon another"
        taken |= cells
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) - {"__rate_interval"}
    assert used <= variables
    for panel in panels():
        assert panel["description"]
        for target in panel["targets"]:
            assert 'job=~"$job", namespace=~"$namespace"' in target["expr"]


def test_the_chart_hands_the_dashboard_on_as_it_is():
    resources = documents(template(values=merged(MINIMAL, {"dashboard": {"enabled": True}})))
    found = [c for c in of_kind(resources, "ConfigMap") if c["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert len(found) == 1
    assert json.loads(found[0]["data"]["subprocessor-registry.json"]) == DASHBOARD
