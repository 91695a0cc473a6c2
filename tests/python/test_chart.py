"""The chart renders, alike with Helm 3 and 4, to what Kubernetes takes; and refuses what cannot work."""

import re
import subprocess

import pytest
import yaml
from chart import (
    CHART, HELMS, MINIMAL, SETS, TOOLS, documents, helm, merged, of_kind, one, pod_of, refusal, rendered, template,
)  # fmt: skip
from crds import CUSTOM, check_custom

SQLITE = {"config": {"server": {"insecure_no_auth": True}}, "persistence": {"enabled": True}, "replicas": 1}
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

by_set = pytest.mark.parametrize("path", SETS, ids=lambda path: path.name.removesuffix("-values.yaml"))


def test_there_are_sets_of_values():
    assert len(SETS) >= 7


@pytest.mark.parametrize("version", HELMS)
def test_lint(version):
    for path in [None, *SETS]:
        arguments = ["--values", path] if path else []
        done = helm("lint", "--strict", CHART, *arguments, version=version)
        assert done.returncode == 0, f"{path}: {done.stdout}{done.stderr}"


@by_set
def test_helm_3_and_4_render_alike(path):
    # As documents: they differ in the empty lines between them.
    assert rendered(path, "helm3") == rendered(path, "helm4")


def test_kubernetes_takes_what_is_rendered(tmp_path):
    """By the schemas of the oldest version that the chart allows and of the newest that is known, unknown keys refused."""
    oldest = re.search(r"kubeVersion: \">=(1\.\d+)\.0-0\"", (CHART / "Chart.yaml").read_text())[1]
    files, count = [], 0
    for path in SETS:
        core = [resource for (kind, _), resource in rendered(path).items() if kind not in CUSTOM]
        count += len(core)
        files.append(tmp_path / path.name)
        files[-1].write_text(yaml.safe_dump_all(core))
    for version in (oldest, "1.37"):
        command = [TOOLS / "chart/bin/kubernetes-validate", "--strict", "-k", version, *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert said.count(" passed for resource ") == count, said


@by_set
def test_operators_take_what_is_rendered(path):
    for (kind, _), resource in rendered(path).items():
        if kind in CUSTOM:
            check_custom(resource)


def test_the_sets_have_every_kind():
    kinds = {kind for path in SETS for kind, _ in rendered(path)}
    assert set(CUSTOM) <= kinds
    assert kinds >= {
        "Deployment", "Service", "Ingress", "Job", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy",
        "ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "Pod",
    }  # fmt: skip


# --- What must hold of every set


@by_set
def test_references_lead_somewhere(path):
    resources = rendered(path)
    deployment = one(resources, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in of_kind(resources, "Service")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in of_kind(resources, "PodDisruptionBudget")]
    for selector in selectors:
        assert selector.items() <= labels.items()
        for other in of_kind(resources, "Job"):
            assert not selector.items() <= other["spec"]["template"]["metadata"]["labels"].items(), "serves and migrates"
        for other in of_kind(resources, "Pod"):
            assert not selector.items() <= other["metadata"]["labels"].items(), "serves and tests"

    ports = {port["name"] for port in pod_of(deployment)["containers"][0]["ports"]}
    services = {service["metadata"]["name"]: service for service in of_kind(resources, "Service")}
    for service in services.values():
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for ingress in of_kind(resources, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for route in rule["http"]["paths"]:
                backend = route["backend"]["service"]
                assert backend["port"]["name"] in {p["name"] for p in services[backend["name"]]["spec"]["ports"]}
    for route in of_kind(resources, "HTTPRoute") + of_kind(resources, "GRPCRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                assert backend["port"] in {p["port"] for p in services[backend["name"]]["spec"]["ports"]}
    for monitor in of_kind(resources, "ServiceMonitor"):
        chosen = [
            service for service in services.values()
            if monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        ]  # fmt: skip
        assert len(chosen) == 1, "each pod is scraped once"
        assert {end["port"] for end in monitor["spec"]["endpoints"]} <= {p["name"] for p in chosen[0]["spec"]["ports"]}
    for scaler in of_kind(resources, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"]


@by_set
def test_pods(path):
    resources = rendered(path)
    accounts = {account["metadata"]["name"] for account in of_kind(resources, "ServiceAccount")}
    pods = [pod_of(resource) for kind in ("Deployment", "Job", "Pod") for resource in of_kind(resources, kind)]
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] in accounts
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for container in pod.get("initContainers", []) + pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
            assert security["capabilities"]["drop"] == ["ALL"]
            assert container["resources"]["requests"] and container["resources"]["limits"]
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes.keys()
        for source in volumes.get("secrets", {}).get("projected", {}).get("sources", []):
            made = resources.get(("Secret", source["secret"]["name"]))
            if made:
                assert {item["key"] for item in source["secret"]["items"]} <= made["data"].keys()


@by_set
def test_probes_and_the_end_of_a_pod(path):
    values = merged(yaml.safe_load((CHART / "values.yaml").read_text()), yaml.safe_load(path.read_text()))
    pod = pod_of(one(rendered(path), "Deployment"))
    server = pod["containers"][0]
    port = next(port["containerPort"] for port in server["ports"] if port["name"] == "grpc")
    for probe, service in [("startup", "liveness"), ("liveness", "liveness"), ("readiness", "readiness")]:
        assert server[f"{probe}Probe"]["grpc"] == {"port": port, "service": service}
    settings = values["config"]["server"]
    assert settings["stop_delay_seconds"] >= 5, "nodes hear late that a pod is leaving"
    assert pod["terminationGracePeriodSeconds"] > settings["stop_delay_seconds"] + settings["drain_seconds"]


@by_set
def test_the_network_is_closed(path):
    policy = one(rendered(path), "NetworkPolicy")
    assert "Ingress" in policy["spec"]["policyTypes"]
    for rule in policy["spec"]["ingress"]:
        assert rule.get("from"), "a rule without `from` lets everybody in"
        assert rule.get("ports")


@by_set
def test_pages_show_no_services(path):
    """Services are answered on the port of the pages: `/` would show them."""
    resources = rendered(path)
    shown = [
        route["path"]
        for ingress in of_kind(resources, "Ingress") if ingress["metadata"]["name"].endswith("-pages")
        for rule in ingress["spec"]["rules"] for route in rule["http"]["paths"]
    ]  # fmt: skip
    for route in of_kind(resources, "HTTPRoute"):
        shown += [match["path"]["value"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    for prefix in shown:
        assert prefix.startswith(("/organizations", "/assets", "/schemas", "/.well-known/"))


# --- The database


def test_the_embedded_database_has_one_pod():
    resources = documents(template(values=SQLITE))
    deployment, claim = one(resources, "Deployment"), one(resources, "PersistentVolumeClaim")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    pod = pod_of(deployment)
    assert "initContainers" not in pod, "`serve` migrates the embedded database"
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "data")
    assert mount["mountPath"] == "/var/lib/subprocessor-registry"


def test_nothing_that_is_installed_waits_for_a_hook():
    """`helm install --wait` runs a hook after the pods are ready, or before what the hook needs is there."""
    for mode in ("initContainer", "job", "none"):
        for resource in documents(template(values=merged(MINIMAL, {"migration": {"mode": mode}}))).values():
            hook = resource["metadata"].get("annotations", {}).get("helm.sh/hook")
            assert hook in (None, "test"), resource["kind"]


def test_who_migrates():
    def render(mode, **more):
        return documents(template(values=merged(MINIMAL, {"migration": {"mode": mode, **more}})))

    first = pod_of(one(render("initContainer"), "Deployment"))["initContainers"]
    assert [container["args"][0] for container in first] == ["migrate"]
    job = one(render("job"), "Job")
    assert pod_of(job)["containers"][0]["args"] == first[0]["args"]
    assert "initContainers" not in pod_of(one(render("job"), "Deployment"))
    assert not of_kind(render("none"), "Job") and "initContainers" not in pod_of(one(render("none"), "Deployment"))

    # By a role of its own, which the server does not get to see.
    resources = render("job", databaseUrl={"existingSecret": "owner", "key": "uri"})

    def secret(resource):
        volume = next(volume for volume in pod_of(resource)["volumes"] if volume["name"] == "secrets")
        return [(source["secret"]["name"], source["secret"]["items"]) for source in volume["projected"]["sources"]]

    assert secret(one(resources, "Job")) == [("owner", [{"key": "uri", "path": "database-url"}])]
    assert secret(one(resources, "Deployment")) == [("database", [{"key": "database-url", "path": "database-url"}])]


def test_what_changes_a_job_makes_a_new_one():
    """A Job cannot be changed: Helm's upgrade would fail."""

    def job(change):
        return one(documents(template(values=merged(MINIMAL, merged({"migration": {"mode": "job"}}, change)))), "Job")

    before = job({})
    changes = [
        {"image": {"tag": "0.2.0"}}, {"podLabels": {"a": "b"}}, {"tolerations": [{"operator": "Exists"}]},
        {"config": {"database": {"max_connections": 3}}}, {"migration": {"mode": "job", "backoffLimit": 1}},
        {"secrets": {"databaseUrl": {"existingSecret": "other"}}}, {"extraEnv": [{"name": "A", "value": "b"}]},
    ]  # fmt: skip
    for change in changes:
        after = job(change)
        assert after["metadata"]["name"] != before["metadata"]["name"], change
    labels = job({"commonLabels": {"a": "b"}})
    assert labels["metadata"]["name"] == before["metadata"]["name"] and labels["spec"] == before["spec"]


def test_a_changed_log_filter_restarts_nothing():
    def checksum(setting, value):
        values = merged(MINIMAL, {"config": {"telemetry": {setting: value}}})
        metadata = one(documents(template(values=values)), "Deployment")["spec"]["template"]["metadata"]
        return metadata["annotations"]["checksum/settings"]

    assert checksum("log_filter", "info") == checksum("log_filter", "debug")
    assert checksum("log_format", "json") != checksum("log_format", "text")


def test_secrets_of_the_values_are_in_the_secret_alone():
    config = {"database": {"url": "postgres://a:hunter2@b/c"}, "secrets": {"key": KEY},
              "email": {"user": "mail", "password": "hunter3"}}  # fmt: skip
    done = template(values={"config": merged(MINIMAL["config"], config)})
    secret = one(documents(done), "Secret")
    assert secret["data"].keys() == {"database-url", "secrets-key", "email-password"}
    for word in ("hunter2", "hunter3", KEY):
        assert word not in done.stdout


# --- What is refused, and in which words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["config.server.insecure_no_auth", "secrets.databaseUrl.existingSecret"]),
        (merged(MINIMAL, {"config": {"server": {"insecure_no_auth": False}}}), ["insecure_no_auth: there is no auth"]),
        ({"config": MINIMAL["config"]}, ["secrets.databaseUrl.existingSecret: name the Secret", "persistence.enabled"]),
        (merged(SQLITE, {"replicas": 2}), ["replicas: the embedded database has one pod, not 2"]),
        (merged(SQLITE, {"autoscaling": {"enabled": True}}), ["autoscaling.enabled"]),
        (merged(MINIMAL, {"persistence": {"enabled": True}, "replicas": 1}), ["persistence.enabled: ", "databaseUrl"]),
        (merged(MINIMAL, {"config": {"database": {"url": "postgres://a@b/c"}}}), ["say it in one place"]),
        (merged(MINIMAL, {"config": {"telemetry": {"metrics_listen": "0.0.0.0:50051"}}}), ["a port of its own"]),
        (merged(MINIMAL, {"migration": {"databaseUrl": {"existingSecret": "owner"}}}), ["needs migration.mode: job"]),
        (merged(MINIMAL, {"ingress": {"pages": {"enabled": True}}}), ["ingress.pages.hosts"]),
        (merged(MINIMAL, {"gateway": {"grpcRoute": {"enabled": True}}}), ["gateway.grpcRoute.parentRefs"]),
        (merged(MINIMAL, {"certificate": {"enabled": True}}), ["certificate.secretName", "issuerRef.name", "dnsNames"]),
        (merged(MINIMAL, {"config": {"email": {"smtp_host": "mail"}}}), ["config.email.from", "config.web.public_url"]),
        (merged(MINIMAL, {"ingress": {"pages": {"paths": ["/assets", "/"]}}}), ["ingress.pages.paths: / would show"]),
        (merged(MINIMAL, {"gateway": {"httpRoute": {"paths": ["/internal/organizations"]}}}), ["httpRoute.paths: /int"]),
        (merged(MINIMAL, {"autoscaling": {"enabled": True, "minReplicas": 4, "maxReplicas": 3}}), ["maxReplicas"]),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(values, words):
    said = refusal(values)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize(
    "change",
    [
        {"replica": 2},
        {"replicas": "2"},
        {"replicas": 1.5},
        {"image": {"tags": "1"}},
        {"image": {"digest": "sha256:12"}},
        {"config": {"server": {"lisen": "0.0.0.0:1"}}},
        {"config": {"sever": {}}},
        {"config": {"server": {"listen": "50051"}}},
        {"config": {"server": {"drain_seconds": "20"}}},
        {"config": {"server": {"stop_delay_seconds": 601}}},
        {"config": {"server": {"stop_delay_seconds": None}}},
        {"config": {"database": {"url": "sqlite:registry.db"}}},
        {"config": {"database": {"max_connections": 1}}},
        {"config": {"clock": {"file": "/tmp/clock"}}},
        {"config": {"telemetry": {"metrics_listen": ""}}},
        {"config": {"telemetry": {"log_format": "xml"}}},
        {"config": {"webhook": {"retry_schedule_seconds": []}}},
        {"migration": {"mode": "hook"}},
        {"service": {"grpcPort": 70000}},
        {"podAnnotations": {"a": 1}},
        {"ingress": {"pages": {"hosts": ["https://example.com"]}}},
    ],
    ids=str,
)
def test_the_schema_refuses(change):
    assert "values don't meet the specifications of the schema" in refusal(merged(MINIMAL, change))


def test_helm_3_refuses_by_the_schema_too():
    said = refusal(merged(MINIMAL, {"replicas": "2", "config": {"server": {"lisen": "0.0.0.0:1"}}}), version="helm3")
    assert "replicas: Invalid type" in said and "lisen is not allowed" in said
