"""The image, the trial with docker compose, and the service of systemd: what can be said of them without running them."""

import json
import os
import re
import shlex
import subprocess

from chart import CHART, ROOT, TOOLS, one, pod_of, rendered
from conftest import BINARY

DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNITS = ROOT / "packaging/systemd"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def check_arguments(arguments):
    """The command exists, and has all flags that it is given."""
    done = run(BINARY, arguments[0], "--help")
    assert done.returncode == 0, f"{arguments[0]}: {done.stderr}"
    for flag in (argument for argument in arguments[1:] if argument.startswith("--")):
        assert f"{flag} " in done.stdout or f"{flag}\n" in done.stdout, f"{arguments[0]} {flag}"


def entry(instruction):
    """The last one of its kind in the Dockerfile, in the form of a JSON list."""
    return json.loads(re.findall(rf"{instruction}\s+(\[.*\])", DOCKERFILE)[-1])


# --- The image


def test_hadolint_finds_nothing():
    done = run(TOOLS / "chart/bin/hadolint", "--no-color", ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout
    assert "hadolint ignore" not in DOCKERFILE


def test_commands_of_the_image_and_the_chart_exist():
    healthcheck, command = re.findall(r"CMD\s+(\[.*\])", DOCKERFILE)
    assert entry("ENTRYPOINT") == [json.loads(healthcheck)[0]] == ["subprocessor-registry"]
    check_arguments(json.loads(healthcheck)[1:])
    check_arguments(json.loads(command))
    resources = rendered(CHART / "ci/everything-values.yaml")
    for kind in ("Deployment", "Job", "Pod"):
        check_arguments(pod_of(one(resources, kind))["containers"][0]["args"])


def test_the_image_is_nobodys():
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[-1]
    pod = pod_of(one(rendered(CHART / "ci/sqlite-values.yaml"), "Deployment"))
    assert user == (str(pod["securityContext"]["runAsUser"]), str(pod["securityContext"]["runAsGroup"]))
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "data")
    assert re.findall(r"^WORKDIR (.*)$", DOCKERFILE, re.MULTILINE)[-1] == mount["mountPath"]


def let_through():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*" and all(rule.startswith("!") for rule in rules[1:])
    return [rule[1:] for rule in rules[1:]]


def test_what_a_build_reads_is_let_through(tmp_path):
    """Cargo makes sense of it, and every file that the code takes in is there."""
    allowed = let_through()
    for name in allowed:
        assert (ROOT / name).exists(), name
        (tmp_path / name).symlink_to(ROOT / name)
    done = run("cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    targets = [target for package in json.loads(done.stdout)["packages"] for target in package["targets"]]
    assert any(target["kind"] == ["bin"] for target in targets)
    for source in ROOT.glob("src/**/*.rs"):
        for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', source.read_text()):
            taken = os.path.relpath((source.parent / path).resolve(), ROOT)
            assert taken.split("/")[0] in allowed, f"{source}: {taken}"


# --- docker compose


def composed():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    done = run(TOOLS / "chart/bin/docker-compose", "config", "--format", "json", cwd=ROOT, env=environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)["services"]


def test_compose():
    services = composed()
    assert services.keys() == {"postgres", "migrate", "registry", "mail"}
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", f"{name} is open to others, and there is no authentication"
        assert service["image"].split(":")[1:] not in ([], ["latest"])
    conditions = {name: service["condition"] for name, service in services["registry"]["depends_on"].items()}
    assert conditions["migrate"] == "service_completed_successfully"
    for name in ("migrate", "registry"):
        check_arguments(services[name]["command"])


def test_the_binary_takes_the_settings_of_compose():
    services = composed()
    settings = services["registry"]["environment"]
    assert settings == services["migrate"]["environment"]
    assert settings["SUBPROCESSOR_REGISTRY__EMAIL__SMTP_HOST"] in services
    url = settings["SUBPROCESSOR_REGISTRY__DATABASE__URL"]
    postgres = services["postgres"]["environment"]
    assert url == "postgres://{POSTGRES_USER}:{POSTGRES_PASSWORD}@postgres/{POSTGRES_DB}".format(**postgres)
    # Its settings are good, and then there is no such database: 2 would say that they are not.
    nowhere = {"SUBPROCESSOR_REGISTRY__DATABASE__URL": url.replace("@postgres/", "@127.0.0.1:1/")}
    done = run(BINARY, "migrate", env={**settings, **nowhere})
    assert done.returncode == 1 and "cannot be reached" in done.stderr, done.stderr


# --- systemd


def test_the_unit(tmp_path):
    """With its drop-in, and with the binary where the tests have it."""
    unit = tmp_path / "subprocessor-registry.service"
    text = (UNITS / unit.name).read_text()
    assert text.count("/usr/bin/subprocessor-registry ") == 2
    unit.write_text(text.replace("/usr/bin/subprocessor-registry ", f"{BINARY} "))
    (tmp_path / f"{unit.name}.d").mkdir()
    (tmp_path / f"{unit.name}.d/postgresql.conf").write_text((UNITS / "postgresql.conf").read_text())
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert done.returncode == 0 and unit.name not in done.stderr, done.stderr
    # In tenths, of 100: what it may do beside what a server needs.
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_commands_of_the_unit():
    text = (UNITS / "subprocessor-registry.service").read_text()
    commands = [shlex.split(line) for line in re.findall(r"^ExecStart(?:Pre)?=/usr/bin/subprocessor-registry (.*)$", text, re.M)]
    assert [command[0] for command in commands] == ["migrate", "serve"]
    for command in commands:
        check_arguments(command)


def test_settings_of_the_drop_in():
    text = (UNITS / "postgresql.conf").read_text()
    credentials = set(re.findall(r"^LoadCredential=([a-z-]+):/", text, re.MULTILINE))
    settings = re.findall(r"^Environment=SUBPROCESSOR_REGISTRY__(\w+)=%d/([a-z-]+)$", text, re.MULTILINE)
    assert {credential for _, credential in settings} == credentials and len(settings) == 2
    known = {f"{section}__{key}".upper() for section, key in known_settings()}
    assert {name for name, _ in settings} <= known


def known_settings():
    section = None
    for line in run(BINARY, "config").stdout.splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(\w+) =", line):
            yield section, match[1]
