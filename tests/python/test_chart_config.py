"""The settings in the values are the binary's, no more and no fewer, and it takes what the chart renders of them."""

import base64
import concurrent.futures
import functools
import json
import os
import signal
import subprocess
import time
import tomllib
import uuid

import grpc
import pytest
import yaml
from chart import CHART, MINIMAL, SETS, documents, merged, of_kind, one, pod_of, rendered, template
from conftest import BINARY, free_port, wait_until_serving
from grpc_health.v1 import health_pb2, health_pb2_grpc

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TYPES = {bool: {"boolean"}, int: {"integer"}, float: {"number"}, str: {"string"}, list: {"array"}}
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
MOUNTED = "/etc/subprocessor-registry/secrets"
SECRETS = {
    "database-url": "postgres://nobody@127.0.0.1:1/nothing",
    "secrets-key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "email-password": "1234",
}


@functools.cache
def binary_settings():
    printed = subprocess.run([BINARY, "config"], capture_output=True, text=True, check=True, timeout=30).stdout
    return tomllib.loads(printed)


def settings_of_the_schema():
    sections = SCHEMA["properties"]["config"]["properties"]
    return {name: section["properties"] for name, section in sections.items()}


def resolve(schema):
    return SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def test_the_schema_has_the_binarys_settings():
    binary, schema = binary_settings(), settings_of_the_schema()
    assert {name: set(keys) for name, keys in schema.items()} == {name: set(keys) for name, keys in binary.items()}
    for section, settings in binary.items():
        for key, default in settings.items():
            said = resolve(schema[section][key])
            assert {said["type"]} == TYPES[type(default)], f"{section}.{key}"
            if isinstance(default, list) and default:
                assert {resolve(said["items"])["type"]} == TYPES[type(default[0])], f"{section}.{key}"


def test_the_schema_refuses_unknown_settings():
    config = SCHEMA["properties"]["config"]
    assert all(section["additionalProperties"] is False for section in [config, *config["properties"].values()])


def test_one_set_has_every_setting():
    """So that each of them is rendered, and read by the binary below. Not the files that the chart itself names."""
    everything = yaml.safe_load((CHART / "ci/everything-values.yaml").read_text())["config"]
    for section, settings in settings_of_the_schema().items():
        by_chart = {"url_file", "key_file", "password_file", "data_dir"}
        assert everything[section].keys() | by_chart >= settings.keys(), section


def test_defaults_of_the_chart_are_said_where_they_differ():
    """What the chart sets, it sets on purpose; drain_seconds, as the binary has it, because the grace period needs it."""
    values, binary = yaml.safe_load((CHART / "values.yaml").read_text())["config"], binary_settings()
    same = {
        (section, key) for section, keys in values.items() for key, value in keys.items() if binary[section][key] == value
    }
    assert same == {("server", "insecure_no_auth"), ("server", "drain_seconds")}


def test_ranges_are_the_binarys(tmp_path):
    """Just outside of the schema's ranges the binary refuses too, and names the setting."""
    outside = {}
    for section, settings in settings_of_the_schema().items():
        for key, schema in settings.items():
            said = resolve(schema)
            step = 1 if said["type"] == "integer" else 0.001
            for bound, way in (("minimum", -step), ("maximum", step)):
                if bound in said:
                    outside[section, key, bound] = {section: {key: said[bound] + way}}
    assert len(outside) > 30
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = {at: pool.submit(migrate, said, tmp_path / "-".join(at)) for at, said in outside.items()}
    for (section, key, bound), future in done.items():
        said = future.result()
        assert said.returncode == 2 and f"{section}.{key}: " in said.stderr, f"{section}.{key}, {bound}: {said.stderr}"


def test_the_ends_of_ranges_are_taken(tmp_path):
    for bound in ("minimum", "maximum"):
        settings = {"database": {"data_dir": str(tmp_path / bound)}}
        for section, keys in settings_of_the_schema().items():
            for key, schema in keys.items():
                if bound in resolve(schema):
                    settings.setdefault(section, {})[key] = resolve(schema)[bound]
        said = migrate(settings, tmp_path / f"{bound}.toml")
        assert said.returncode == 0, said.stderr


def write(settings, path):
    sections = (f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()) for name, keys in settings.items())
    path.write_text("".join(sections))


def migrate(settings, path):
    """`migrate` reads all settings, says everything that is wrong with them (2), and only then asks for the database."""
    write(settings, path)
    command = [BINARY, "migrate", "--config", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def runnable(resources, directory):
    """The rendered settings, as the binary finds them in the container, but in a directory of this test."""
    data = one({key: value for key, value in resources.items() if "config.toml" in value.get("data", {})}, "ConfigMap")
    text = data["data"]["config.toml"]
    settings = tomllib.loads(text)
    directory.mkdir()
    deployment = pod_of(one(resources, "Deployment"))
    sources = [v["projected"]["sources"] for v in deployment["volumes"] if v["name"] == "secrets"]
    for source in [source["secret"] for source in (sources or [[]])[0]]:
        made = resources.get(("Secret", source["name"]), {}).get("data")
        for item in source["items"]:
            value = base64.b64decode(made[item["key"]]).decode() if made else SECRETS[item["path"]]
            (directory / item["path"]).write_text(SECRETS["database-url"] if item["path"] == "database-url" else value)
    (directory / "secrets-key").write_text(SECRETS["secrets-key"])  # what `external` mounts
    settings["database"]["data_dir"] = str(directory / "data")
    for keys in settings.values():
        for key, value in keys.items():
            if isinstance(value, str):
                keys[key] = value.replace(MOUNTED, str(directory)).replace("/mnt/vault", str(directory))
    return settings


def test_the_binary_takes_every_set(tmp_path):
    settings = {path.stem: runnable(rendered(path), tmp_path / path.stem) for path in SETS}
    # One that gets its database from a variable: by this test from the file.
    settings["external-values"]["database"]["url"] = SECRETS["database-url"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = {name: pool.submit(migrate, said, tmp_path / f"{name}.toml") for name, said in settings.items()}
    for name, future in done.items():
        said = future.result()
        if name.startswith("sqlite"):
            assert said.returncode == 0, f"{name}: {said.stderr}"
        else:
            # The settings are good; the database is not there.
            assert said.returncode == 1 and "cannot be reached" in said.stderr, f"{name}: {said.stderr}"


def test_a_fresh_install_on_postgresql(tmp_path):
    """What the pod of the least set does, in its order: `serve` alone refuses; `migrate`, then `serve`, then the probes."""
    resources = rendered(CHART / "ci/postgres-values.yaml")
    pod = pod_of(one(resources, "Deployment"))
    first, server = pod["initContainers"][0], pod["containers"][0]
    settings = runnable(resources, tmp_path / "mounted")
    port = free_port()
    assert settings["server"]["stop_delay_seconds"] > 0
    settings["server"] |= {"listen": f"127.0.0.1:{port}", "stop_delay_seconds": 2}
    if "metrics_listen" in settings["telemetry"]:
        settings["telemetry"]["metrics_listen"] = "127.0.0.1:0"
    cluster = os.environ["REGISTRY_TEST_POSTGRES_URL"]
    name = f"chart_{uuid.uuid4().hex[:12]}"
    subprocess.run(["psql", "--quiet", "--no-psqlrc", cluster, "--command", f"CREATE DATABASE {name}"], check=True)
    (tmp_path / "mounted/database-url").write_text(f"{cluster.rsplit('/', 1)[0]}/{name}\n")
    write(settings, tmp_path / "config.toml")

    def command(container):
        mounted = "/etc/subprocessor-registry/config/config.toml"
        return [BINARY, *(argument.replace(mounted, str(tmp_path / "config.toml")) for argument in container["args"])]

    refused = subprocess.run(command(server), capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "subprocessor-registry migrate" in refused.stderr
    # Two pods at once: one waits for the other.
    both = [subprocess.Popen(command(first), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert "applied" in said[0] and "up to date" in said[1]

    log = tmp_path / "server.log"
    with log.open("w") as output, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        process = subprocess.Popen(command(server), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until_serving(channel, process, log)
            health = health_pb2_grpc.HealthStub(channel)

            def status(service):
                return health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status

            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                service = server[probe]["grpc"]["service"]
                assert status(service) == SERVING
            process.send_signal(signal.SIGTERM)
            # While it is taken out of the Service, it goes on.
            deadline = time.monotonic() + 10
            while status("readiness") == SERVING and time.monotonic() < deadline:
                time.sleep(0.02)
            assert (status("readiness"), status("liveness")) == (NOT_SERVING, SERVING)
            assert process.wait(timeout=pod["terminationGracePeriodSeconds"]) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert all(json.loads(line) for line in log.read_text().splitlines()), "log_format is json"


@pytest.mark.parametrize(
    "text", ['say "no"', "back\\slash", "a <b> & c", "naïve ☃ \u2028", "tab\there", "${HOME} {{ x }}", "'''", "1e3", "true"]
)  # fmt: skip
def test_a_text_is_rendered_as_it_is(text):
    values = merged(MINIMAL, {"config": {"email": {"from": text}}})
    config = one({k: v for k, v in documents(template(values=values)).items()}, "ConfigMap")["data"]["config.toml"]
    assert tomllib.loads(config)["email"]["from"] == text


def test_numbers_are_rendered_as_they_are():
    said = {"max_request_bytes": 67108864, "drain_seconds": 0}
    waits = [1, 604800]
    values = merged(MINIMAL, {"config": {"server": said, "webhook": {"retry_schedule_seconds": waits, "retry_jitter": 0.05}}})
    settings = tomllib.loads(one(documents(template(values=values)), "ConfigMap")["data"]["config.toml"])
    assert {key: settings["server"][key] for key in said} == said
    assert settings["webhook"] == {"retry_schedule_seconds": waits, "retry_jitter": 0.05}
    assert all(isinstance(settings["server"][key], int) for key in said)


def test_ports_are_those_of_the_settings():
    values = merged(MINIMAL, {"config": {"server": {"listen": "[::]:6000"}, "telemetry": {"metrics_listen": "[::]:6001"}}})
    resources = documents(template(values=values))
    ports = pod_of(one(resources, "Deployment"))["containers"][0]["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == {"grpc": 6000, "metrics": 6001}
    headless = next(s for s in of_kind(resources, "Service") if s["metadata"]["name"].endswith("-headless"))
    assert headless["spec"]["ports"][0]["port"] == 6000
