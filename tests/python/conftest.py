"""A client in another language: generated from the proto, against the real binary, on both databases.

Every test that takes `registry` runs twice, on SQLite and on PostgreSQL. The server of each database is started once;
tests keep apart by fresh ids (`fresh`).
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import uuid
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "subprocessor-registry"
PRINCIPAL = "python-tests"
# Webhooks may go to this machine, and what is due is looked for often.
SETTINGS = {
    "WEBHOOK__ALLOW_HTTP": "true",
    "WEBHOOK__ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
    "SCHEDULE__POLL_INTERVAL_MS": "20",
    "SECRETS__KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
}
TIMEOUT = 30  # seconds for any one call: a server that hangs fails a test, and does not stop the run


def generate():
    """Makes the client from the proto, before the tests import it."""
    # Tests that run beside each other do so in processes of their own, each with its client.
    out = ROOT / ".tools" / f"python-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    sources = sorted(str(path) for path in (ROOT / "proto").rglob("*.proto"))
    arguments = ["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", f"--grpc_python_out={out}"]
    bundled = Path(protoc.__file__).parent / "_proto"
    if protoc.main([*arguments, f"-I{bundled}", *sources]) != 0:
        raise RuntimeError("the proto does not compile")
    sys.path.insert(0, str(out))


generate()
from subprocessor.registry.v1 import (  # noqa: E402
    change_log_pb2,
    change_log_pb2_grpc,
    notice_pb2_grpc,
    organization_pb2,
    organization_pb2_grpc,
    registry_pb2_grpc,
    subprocessor_pb2,
    subprocessor_pb2_grpc,
    vendor_pb2,
    vendor_pb2_grpc,
)


class Caller(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Says who is calling, and gives every call a deadline."""

    def _call(self, proceed, details, request):
        with_defaults = grpc.ClientCallDetails()
        with_defaults.method = details.method
        with_defaults.timeout = details.timeout or TIMEOUT
        with_defaults.metadata = [("x-principal", PRINCIPAL), *(details.metadata or [])]
        with_defaults.credentials = details.credentials
        with_defaults.wait_for_ready = details.wait_for_ready
        with_defaults.compression = details.compression
        return proceed(with_defaults, request)

    intercept_unary_unary = _call
    intercept_unary_stream = _call


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_serving(channel, process, log):
    health = health_pb2_grpc.HealthStub(channel)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(grpc.RpcError):
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"the server did not get ready:\n{log.read_text()}")


def new_postgres_database():
    """Creates a database on the cluster of the test run and brings it to the current schema."""
    cluster = os.environ.get("REGISTRY_TEST_POSTGRES_URL")
    if not cluster:
        pytest.fail("REGISTRY_TEST_POSTGRES_URL is not set: run `make test`, or see tests/tools/postgres.sh")
    name = f"python_{uuid.uuid4().hex[:12]}"
    subprocess.run(["psql", "--quiet", "--no-psqlrc", cluster, "--command", f"CREATE DATABASE {name}"], check=True)
    url = f"{cluster.rsplit('/', 1)[0]}/{name}"
    subprocess.run([BINARY, "migrate", "--database-url", url], check=True, timeout=120)
    return url


@contextlib.contextmanager
def running(database, directory, **settings):
    """A running registry on "sqlite" or "postgres": its channel, a stub for each service, and its process."""
    address = f"127.0.0.1:{free_port()}"
    command = [BINARY, "serve", "--listen", address, "--data-dir", directory / "data"]
    if database == "postgres":
        command += ["--database-url", new_postgres_database()]
    if "config" in settings:
        command += ["--config", settings.pop("config")]
    log = directory / "server.log"
    settings = {f"SUBPROCESSOR_REGISTRY__{key}": value for key, value in {**SETTINGS, **settings}.items()}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **settings}
        )
    # No limit on what we receive, so that a refusal is the server's and not the client's own.
    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
    try:
        wait_until_serving(channel, process, log)
        calls = grpc.intercept_channel(channel, Caller())
        yield types.SimpleNamespace(
            address=address,
            process=process,
            log_file=log,
            channel=calls,
            organizations=organization_pb2_grpc.OrganizationServiceStub(calls),
            vendors=vendor_pb2_grpc.VendorServiceStub(calls),
            subprocessors=subprocessor_pb2_grpc.SubprocessorServiceStub(calls),
            notices=notice_pb2_grpc.ChangeNotificationServiceStub(calls),
            log=change_log_pb2_grpc.ChangeLogServiceStub(calls),
            manifests=registry_pb2_grpc.RegistryServiceStub(calls),
        )
        assert process.poll() is None, f"the server ended by itself:\n{log.read_text()}"
        channel.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, f"the server did not stop in order:\n{log.read_text()}"
    finally:
        channel.close()
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def registry(request, tmp_path_factory):
    """A running registry, one for all tests of a database."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def fresh():
    """Makes ids that no other test has."""
    tag = uuid.uuid4().hex[:8]
    return lambda prefix: f"{prefix}-{tag}"


def newest(registry):
    """The number of the newest revision."""
    return registry.log.ListRevisions(change_log_pb2.ListRevisionsRequest(page_size=1)).revision


def create_vendor(registry, vendor_id, **fields):
    fields.setdefault("display_name", vendor_id)
    return registry.vendors.CreateVendor(
        vendor_pb2.CreateVendorRequest(vendor_id=vendor_id, vendor=vendor_pb2.Vendor(**fields))
    )


def create_organization(registry, organization_id, **fields):
    fields.setdefault("display_name", organization_id)
    return registry.organizations.CreateOrganization(
        organization_pb2.CreateOrganizationRequest(
            organization_id=organization_id, organization=organization_pb2.Organization(**fields)
        )
    )


def create_subprocessor(registry, parent, subprocessor_id, **fields):
    fields.setdefault("display_name", subprocessor_id)
    return registry.subprocessors.CreateSubprocessor(
        subprocessor_pb2.CreateSubprocessorRequest(
            parent=parent,
            subprocessor_id=subprocessor_id,
            subprocessor=subprocessor_pb2.Subprocessor(**fields),
        )
    )


class Refusal:
    """What a refused call said. `details` has each google.rpc detail by its short type name."""

    def read(self, error):
        self.code = error.code()
        self.message = error.details()
        self.details = {}
        status = rpc_status.from_call(error)
        for packed in status.details if status else []:
            kind = packed.TypeName().rsplit(".", 1)[-1]
            detail = getattr(error_details_pb2, kind)()
            packed.Unpack(detail)
            self.details[kind] = detail

    @property
    def reason(self):
        assert "ErrorInfo" in self.details, f"{self.code}: {self.message}: no ErrorInfo"
        info = self.details["ErrorInfo"]
        assert info.domain == "subprocessor-registry"
        return info.reason

    @property
    def fields(self):
        """The last part of the path of every bad field; each must come with its rule."""
        assert "BadRequest" in self.details, f"{self.code}: {self.message}: no BadRequest"
        violations = self.details["BadRequest"].field_violations
        assert all(violation.description for violation in violations), violations
        return {violation.field.rsplit(".", 1)[-1].split("[")[0] for violation in violations}


@contextlib.contextmanager
def refused(*codes, reason=None):
    """The call inside must be refused with one of the codes; yields what it said."""
    refusal = Refusal()
    with pytest.raises(grpc.RpcError) as raised:
        yield refusal
    refusal.read(raised.value)
    assert refusal.code in codes, f"{refusal.code}: {refusal.message}"
    for driver_word in ("sqlx", "sqlite", "postgres", "sea_orm", "panicked"):
        assert driver_word not in refusal.message.lower()
    if reason:
        assert refusal.reason == reason
