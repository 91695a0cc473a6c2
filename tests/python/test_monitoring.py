"""The alerts and the dashboard: they ask for metrics that there are, in a language that Prometheus understands."""

import json
import re
import subprocess
import time

import pytest
import yaml
from chart import CHART, MINIMAL, ROOT, SETS, TOOLS, documents, merged, of_kind, one, rendered, template
from conftest import TIMEOUT, running
from subprocessor.registry.v1 import notice_pb2, subprocessor_pb2
from test_telemetry import read
from test_webhooks import Receiver, listed, subscribed

# What Prometheus, and what looks at the cluster for it, say by themselves.
OTHERS = {"up": set(), "kube_deployment_status_replicas_ready": {"deployment"}}
TARGET = {"job", "namespace", "instance"}
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
UNIT_TESTS = ROOT / "tests/data/chart/alerts_test.yaml"
REFERENCE = ROOT / "docs/reference/metrics.md"
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)


def described():
    """Every metric of the reference, with its labels."""
    rows = re.findall(r"^\| `(\w+)` \| `[^`]+` \| ([^|]*) \|", REFERENCE.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What a server exports to which everything has happened: each series with its labels."""
    receiver = Receiver()
    with running("sqlite", tmp_path_factory.mktemp("server")) as registry:
        parent, _, _ = subscribed(registry, receiver, "measured")
        receiver.server.shutdown()
        receiver.server.server_close()
        listed(registry, parent, "first")  # A delivery that is still to be made.
        change = notice_pb2.NoticeChange(
            kind=notice_pb2.NoticeChange.KIND_ADD,
            subprocessor=f"{parent}/subprocessors/second",
            proposed=subprocessor_pb2.Subprocessor(display_name="Second"),
        )
        notice = notice_pb2.Notice(title="A new one", changes=[change])
        registry.notices.CreateNotice(notice_pb2.CreateNoticeRequest(parent=parent, notice_id="new", notice=notice))

        def missing():
            for name, labels in SERIES.findall(read(registry.address)):
                found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
            families = {re.sub("_(bucket|sum|count)$", "", name) for name in found} | found.keys()
            return described().keys() - families

        # Some are counted when somebody has asked, at most every few seconds.
        deadline, found = time.monotonic() + TIMEOUT, {}
        while names := missing():
            assert time.monotonic() < deadline, f"in the reference, but not exported: {names}"
            time.sleep(0.2)
    return found


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


def test_the_reference_has_what_is_exported(exported):
    reference = described()
    assert len(reference) > 20
    kinds = {
        name + part: labels | ({"le"} if part == "_bucket" else set())
        for name, labels in reference.items()
        for part in ("", "_bucket", "_sum", "_count")
    }
    # OpenTelemetry adds one that says which program this is.
    for name in exported.keys() - {"target_info"}:
        assert exported[name] == kinds.get(name), name


def test_metrics_that_are_asked_for_are_exported(exported):
    known = {**exported, **OTHERS}
    seen = set()
    for where, expression in queries():
        found = list(asked(expression))
        assert found, f"{where}: no metric in {expression}"
        for name, labels in found:
            assert name in known, f"{where}: {name}"
            assert labels <= known[name] | TARGET, f"{where}: {name} has no {labels - known[name] - TARGET}"
            seen.add(name)
        # `by (…)` and `on (…)` name labels too.
        every = set().union(TARGET, *(known[name] for name, _ in found))
        for names in re.findall(r"\b(?:by|on|group_right|without)\s*\(([^)]*)\)", expression):
            assert {name.strip() for name in names.split(",") if name.strip()} <= every, f"{where}: {expression}"
        # Each is narrowed to one release: another's must not fire this one's alert.
        without = re.sub(r"\w+\{[^}]*\}", "", expression)
        assert not [name for name in known if re.search(rf"\b{name}\b", without)], f"{where}: {expression}"
    asked_for = {re.sub("_(bucket|sum|count)$", "", name) for name in seen}
    ours = {name for name in described() if name.startswith("subprocessor_registry_")}
    assert ours <= asked_for, "what is exported is looked at"


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
