"""Clients in other languages: what `make clients` makes, the published service config, and the examples."""

import concurrent.futures
import contextlib
import functools
import importlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from playwright.sync_api import sync_playwright
from subprocessor.registry.v1 import vendor_pb2, vendor_pb2_grpc

from conftest import BINARY, ROOT, wait_until_serving

EXAMPLES = ROOT / "examples" / "clients"
CONFIG = ROOT / "proto" / "service_config.json"
PACKAGE = "subprocessor.registry.v1"
PATIENCE = 60  # seconds, after which a program that hangs is killed
ENVIRONMENT = os.environ | {
    "PATH": f"{ROOT / '.tools' / 'venv' / 'bin'}:{os.environ['PATH']}",
    "PYTHON": sys.executable,
}


def run(*command, directory=ROOT):
    done = subprocess.run(command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE * 2)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@functools.cache
def services():
    """The services of the contract, by name."""
    found = {}
    for path in (ROOT / "proto").rglob("*.proto"):
        described = importlib.import_module(f"{PACKAGE}.{path.stem}_pb2").DESCRIPTOR
        found |= {service.full_name: service for service in described.services_by_name.values()}
    assert found
    return found


def lasting_port():
    """A free port below the range from which clients get their own, so that none takes it while the server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Server:
    """A registry that can be stopped and started again at the same address."""

    def __init__(self, directory):
        self.directory = directory
        self.address = f"127.0.0.1:{lasting_port()}"
        self.url = f"http://{self.address}"
        self.process = None

    def start(self):
        log = self.directory / "server.log"
        with log.open("a") as output:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--listen", self.address, "--data-dir", self.directory / "data"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        # A connection of its own each time: one that has failed waits before it tries again.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.address, options) as channel:
            wait_until_serving(channel, self.process, log)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=PATIENCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("clients"))
    server.start()
    manifest = ROOT / "tests" / "data" / "public" / "northwind.yaml"
    run(BINARY, "apply", manifest, "--yes", "--endpoint", server.url)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def examples():
    """The TypeScript example, made from the contract and compiled. The Python one does that when it is run."""
    run("npm", "run", "--silent", "build", directory=EXAMPLES / "typescript")


def tour(language, server, organization):
    if language == "python":
        return [EXAMPLES / "python" / "run.sh", "tour.py", organization, "--target", server.address]
    return ["node", EXAMPLES / "typescript" / "dist" / "tour.js", organization, server.url]


def watch(language, server, state):
    if language == "python":
        start = [EXAMPLES / "python" / "run.sh", "watch.py", "organizations/-"]
        return [*start, "--state", state, "--target", server.address]
    return ["node", EXAMPLES / "typescript" / "dist" / "watch.js", "organizations/-", state, server.url]


def test_make_clients_has_every_method_in_every_language():
    told = run("tests/tools/clients.sh")
    made = ROOT / "target" / "clients"
    assert [line.split(":")[0] for line in told.splitlines()] == [
        f"target/clients/{language}" for language in ("python", "typescript", "go", "java")
    ]
    java = made / "java" / "dev" / PACKAGE.replace(".", "/")
    for service in services().values():
        stem = service.file.name.removesuffix(".proto")
        texts = {
            f"class {service.name}Stub": made / "python" / f"{stem}_pb2_grpc.py",
            f"export const {service.name}:": made / "typescript" / f"{stem}_pb.ts",
            f"func New{service.name}Client(": made / "go" / f"{stem}_grpc.pb.go",
            f"class {service.name}Grpc": java / f"{service.name}Grpc.java",
        }
        for declaration, path in texts.items():
            text = path.read_text()
            assert declaration in text, f"{path} has no {declaration}"
            absent = [method.name for method in service.methods if method.name.lower() not in text.lower()]
            assert not absent, f"{path} has no {absent}"
    # What is imported is what was made, and works with the libraries that the tests pin.
    modules = {service.file.name.removesuffix(".proto").replace("/", ".") for service in services().values()}
    importing = "".join(f"import {module}_pb2_grpc\n" for module in modules)
    here = os.environ | {"PYTHONPATH": str(made / "python")}
    subprocess.run([sys.executable, "-c", importing], env=here, check=True, timeout=PATIENCE)


def test_a_language_that_is_not_there_is_refused():
    done = subprocess.run([ROOT / "tests/tools/clients.sh", "cobol"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert "python, typescript, go and java" in done.stderr


def test_the_service_config_names_every_method_once():
    reads, writes = (
        [(name["service"], name["method"]) for name in block["name"]]
        for block in json.loads(CONFIG.read_text())["methodConfig"]
    )
    no_side_effects, idempotent = [], []
    for name, service in services().items():
        for method in service.methods:
            level = method.GetOptions().idempotency_level
            safe = level == method.GetOptions().NO_SIDE_EFFECTS or method.server_streaming
            # A write is sent again only if the server can tell that it is the same one.
            assert safe or "request_id" in method.input_type.fields_by_name, f"{method.full_name} must not be retried"
            (no_side_effects if safe else idempotent).append((name, method.name))
    assert sorted(reads) == sorted(no_side_effects)
    assert sorted(writes) == sorted(idempotent)


def test_only_unavailable_is_retried_and_health_is_known(server):
    config = json.loads(CONFIG.read_text())
    for block in config["methodConfig"]:
        assert block["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
        assert 2 <= block["retryPolicy"]["maxAttempts"] <= 5, "gRPC lowers what is more"
    checked = health_pb2.HealthCheckRequest(service=config["healthCheckConfig"]["serviceName"])
    with grpc.insecure_channel(server.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(checked, timeout=PATIENCE)
    assert answer.status == answer.SERVING


def test_a_config_that_grpc_cannot_read_is_noticed():
    """So that the other tests prove that it can read ours: it refuses calls then, and does not go without."""
    broken = CONFIG.read_text().replace('"5s"', '"soon"')
    with grpc.insecure_channel("127.0.0.1:1", [("grpc.service_config", broken)]) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            vendor_pb2_grpc.VendorServiceStub(channel).GetVendor(vendor_pb2.GetVendorRequest(), timeout=PATIENCE)
    assert "maxBackoff" in raised.value.details()


def northwind(server):
    """Every row of its list, by our own command line."""
    listed = run(BINARY, "list", "organizations/northwind/subprocessors", "-o", "json", "--endpoint", server.url)
    return json.loads(listed)["subprocessors"]


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_tour_pages_writes_once_and_explains(server, examples, language):
    told = run(*tour(language, server, "organizations/northwind")).splitlines()
    rows = [f"{row['name']}: {row['display_name']}" for row in northwind(server)]
    assert told[: len(rows)] == rows and len(rows) > 4, "more than two pages of two"
    created, deleted, refused, *fields = told[len(rows) :]
    assert created.startswith("created vendors/example-")
    assert deleted == f"deleted {created.split()[1]}"
    assert refused.startswith("INVALID_ARGUMENT FIELD_INVALID: ")
    assert [field.split(":")[0] for field in fields] == ["  vendor_id", "  vendor.display_name", "  vendor.website_uri"]


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_call_outlasts_a_restart_by_the_service_config(server, examples, language):
    server.stop()
    host, port = server.address.split(":")
    with socket.create_server((host, int(port))) as nobody:
        calling = subprocess.Popen(
            tour(language, server, "organizations/northwind"),
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # Its first try has come, and is hung up on.
        nobody.accept()[0].close()
    server.start()
    told, _ = calling.communicate(timeout=PATIENCE)
    assert calling.returncode == 0, told
    assert "created vendors/example-" in told


def test_without_the_service_config_a_call_fails_at_once(server):
    """The contrast to the test before: it is the config that retries."""
    server.stop()
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            vendor_pb2_grpc.VendorServiceStub(channel).GetVendor(vendor_pb2.GetVendorRequest(), timeout=PATIENCE)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    server.start()


class Watcher:
    """A watch program, and the vendors of ours that it has told of."""

    def __init__(self, command, state):
        self.command = command
        self.state = state

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.watchdog = threading.Timer(PATIENCE, self.process.kill)
        self.watchdog.start()
        return self

    def until(self, last):
        """What it tells, up to a vendor; and then it has written down where it is."""
        told = []
        for line in self.process.stdout:
            revision, kind, name = line.split()
            if name.startswith("vendors/watched-"):
                told.append((kind, name))
            if name == last.name:
                break
        deadline = time.monotonic() + PATIENCE
        while int(json.loads(self.state.read_text())["revision"]) < last.revision and time.monotonic() < deadline:
            time.sleep(0.02)
        return told

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def create(stub, vendor_id):
    request = vendor_pb2.CreateVendorRequest(
        vendor_id=vendor_id, vendor=vendor_pb2.Vendor(display_name=vendor_id), request_id=str(uuid.uuid4())
    )
    return stub.CreateVendor(request, timeout=PATIENCE)


def test_nothing_is_missed_or_doubled_across_restarts(server, examples, tmp_path):
    """Two watchers and a writer, while the server is stopped once in order and once by kill -9."""
    states = {language: tmp_path / f"{language}.json" for language in ("python", "typescript")}
    ids = [f"watched-{number:02}" for number in range(60)]
    reached = {20: threading.Event(), 40: threading.Event()}

    def write(stub):
        for number, vendor_id in enumerate(ids):
            if number in reached:
                reached[number].set()
            last = create(stub, vendor_id)
        return last

    def watching(stack):
        return [stack.enter_context(Watcher(watch(one, server, state), state)) for one, state in states.items()]

    options = [("grpc.service_config", CONFIG.read_text())]
    with (
        contextlib.ExitStack() as stack,
        grpc.insecure_channel(server.address, options) as channel,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        stub = vendor_pb2_grpc.VendorServiceStub(channel)
        watchers = watching(stack)
        first = create(stub, "watched-first")
        for watcher in watchers:
            watcher.until(first)
        writing = pool.submit(write, stub)
        for event, how in zip(reached.values(), (signal.SIGTERM, signal.SIGKILL)):
            assert event.wait(PATIENCE), writing.exception(timeout=0)
            server.stop(how)
            server.start()
        last = writing.result(timeout=PATIENCE)
        for watcher in watchers:
            assert watcher.until(last) == [("CREATED", f"vendors/{vendor_id}") for vendor_id in ids]

        # The watchers themselves start again, where they were.
        stack.close()
        more = create(stub, "watched-more")
        for watcher in watching(stack):
            assert watcher.until(more) == [("CREATED", more.name)]


def test_the_browser_lists_and_explains(server):
    example = EXAMPLES / "browser"
    run("npm", "run", "--silent", "build", directory=example)
    serving = subprocess.Popen(["node", "serve.mjs", server.url, "0"], cwd=example, stdout=subprocess.PIPE, text=True)
    try:
        address = serving.stdout.readline().strip()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            page = browser.new_page()
            said = []
            page.on("console", lambda message: said.append(message.text))
            calls = []
            page.on("response", lambda answer: calls.append(answer) if PACKAGE in answer.url else None)
            page.goto(address)

            page.get_by_label("Organization").fill("northwind")
            page.get_by_role("button", name="List").click()
            rows = [row["display_name"] for row in northwind(server)]
            page.get_by_text(f"{len(rows)} sub-processors").wait_for()
            assert page.get_by_role("listitem").all_inner_texts() == rows
            assert page.get_by_role("alert").inner_text() == ""
            assert len(calls) == (len(rows) + 1) // 2, "pages of two"
            assert calls[0].headers["content-type"].startswith("application/grpc-web")

            page.get_by_label("Filter").fill("colour = 1")
            page.get_by_role("button", name="List").click()
            page.get_by_role("alert").get_by_text("FILTER_INVALID").wait_for()

            page.get_by_label("Filter").fill("")
            page.get_by_label("Organization").fill("Not An Id")
            page.get_by_role("button", name="List").click()
            page.get_by_role("alert").get_by_text("FIELD_INVALID").wait_for()
            assert page.get_by_role("alert").get_by_role("paragraph").nth(1).inner_text().startswith("parent: ")
            assert page.get_by_role("listitem").count() == 0
            assert said == []
            browser.close()
    finally:
        serving.kill()
        serving.wait()
        serving.stdout.close()


def test_the_examples_run_what_the_tests_pin():
    pinned = (ROOT / "tests" / "tools" / "requirements.txt").read_text().splitlines()
    wanted = [line for line in (EXAMPLES / "python" / "requirements.txt").read_text().splitlines() if line[:1] != "#"]
    assert wanted and set(wanted) <= set(pinned)


def test_the_lines_of_the_readme(server):
    lines = [line for line in (EXAMPLES / "README.md").read_text().splitlines() if line.startswith("grpcurl ")]
    told = [run("sh", "-c", line.replace("127.0.0.1:50051", server.address)) for line in lines]
    assert [text.split("\n", 1)[0] for text in told] == [f"{PACKAGE}.VendorService is a service:", "{"]
