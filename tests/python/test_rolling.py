"""Replicas on one PostgreSQL database under load: they are restarted one after the other, or let go of old connections.

Clients notice nothing of it: with the published service config not one call fails, what is created is created once, and a
watch that goes on where it ended sees each revision once, in order.
"""

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import threading
import time
import uuid

import grpc
import pytest
from subprocessor.registry.v1 import (
    change_log_pb2,
    change_log_pb2_grpc,
    vendor_pb2,
    vendor_pb2_grpc,
)

from conftest import BINARY, ROOT, SETTINGS, Caller, Refusal, new_postgres_database, wait_until_serving

# What clients are told to be configured with.
SERVICE_CONFIG = ROOT / "proto/service_config.json"
# How soon a replica that was away is tried again: the usual second would only make the test longer.
IMPATIENT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
PATIENCE = 60  # seconds: what takes longer hangs
STEP = 10  # creations, and reads, between a stop and a start, so that each meets calls


class Replica:
    """A server process that keeps its port."""

    def __init__(self, url, directory, number, settings=None):
        self.address = f"127.0.0.1:{quiet_port()}"
        self.log = directory / f"replica-{number}.log"
        self.command = [BINARY, "serve", "--listen", self.address, "--database-url", url]
        self.settings = {**SETTINGS, "CATALOG__LOAD": "false", **(settings or {})}
        self.process = None

    def start(self):
        settings = {f"SUBPROCESSOR_REGISTRY__{key}": value for key, value in self.settings.items()}
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **settings},
            )

    def serves(self):
        """Waits until it is ready."""
        options = [*IMPATIENT, ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.address, options=options) as channel:
            wait_until_serving(channel, self.process, self.log)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=PATIENCE) == 0, self.log.read_text()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def quiet_port():
    """A free port from below the range that connections get theirs from: nobody takes it while its server is away."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("there is no free port")


class Load:
    """Threads that call until they are told to stop, and what became of their calls."""

    def __init__(self, channel):
        self.vendors = vendor_pb2_grpc.VendorServiceStub(channel)
        self.log = change_log_pb2_grpc.ChangeLogServiceStub(channel)
        self.created = {}  # by request_id: the name, the revision
        self.read = 0
        self.failed = []
        self.seen = []  # what the watch saw: revisions
        self.ends = []  # how its streams ended: the refusal, and up to where it had come
        self.stream = None
        self.over = threading.Event()
        self.progress = threading.Condition()
        self.numbers = itertools.count()
        work = [self.create, self.create, self.get, self.list]
        self.callers = [threading.Thread(target=self.repeat, args=(call,), daemon=True) for call in work]
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def start(self):
        for thread in [*self.callers, self.watcher]:
            thread.start()

    def repeat(self, call):
        while not self.over.is_set():
            try:
                call()
            except grpc.RpcError as error:
                self.failed.append(f"{call.__name__}: {error.code()}: {error.details()}")
            with self.progress:
                self.progress.notify_all()

    def create(self):
        vendor_id, request_id = f"rolling-{next(self.numbers)}", str(uuid.uuid4())
        vendor = self.vendors.CreateVendor(
            vendor_pb2.CreateVendorRequest(
                vendor_id=vendor_id, request_id=request_id, vendor=vendor_pb2.Vendor(display_name=vendor_id)
            )
        )
        self.created[request_id] = (vendor.name, vendor.revision)

    def get(self):
        for name, _ in list(self.created.values())[-5:]:
            self.vendors.GetVendor(vendor_pb2.GetVendorRequest(name=name))
            self.read += 1

    def list(self):
        self.vendors.ListVendors(vendor_pb2.ListVendorsRequest(page_size=50))
        self.read += 1

    def watch(self):
        """Follows the log from its beginning, and goes on wherever a stream ended."""
        number, digest = 0, b""
        while True:
            request = change_log_pb2.WatchChangesRequest(
                parent="organizations/-", after_revision=number, after_hash=digest
            )
            self.stream = self.log.WatchChanges(request, timeout=PATIENCE)
            try:
                for message in self.stream:
                    if message.WhichOneof("event") == "revision":
                        number, digest = message.revision.number, message.revision.hash
                        with self.progress:
                            self.seen.append(message.revision)
                            self.progress.notify_all()
                    else:
                        number, digest = message.checkpoint.revision, message.checkpoint.hash
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.CANCELLED:
                    return
                refusal = Refusal()
                refusal.read(error)
                with self.progress:
                    self.ends.append((refusal, number))
                    self.progress.notify_all()

    def until(self, done):
        with self.progress:
            assert self.progress.wait_for(lambda: self.failed or done(), PATIENCE), "the load makes no progress"
        assert not self.failed, "\n".join(self.failed[:20])

    def advance(self):
        """Waits until there was some traffic."""
        created, read = len(self.created) + STEP, self.read + STEP
        self.until(lambda: len(self.created) >= created and self.read >= read)

    def stop(self):
        """Lets all calls finish and the watch see what they made."""
        self.over.set()
        for thread in self.callers:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a call hangs"
        newest = max((revision for _, revision in self.created.values()), default=0)
        self.until(lambda: newest <= (self.seen[-1].number if self.seen else 0))
        deadline = time.monotonic() + PATIENCE
        while self.watcher.is_alive() and time.monotonic() < deadline:
            self.stream.cancel()  # more than once: it may just be opening the next one
            self.watcher.join(0.1)
        assert not self.watcher.is_alive(), "the watch hangs"


def pages(call, request):
    """All pages of a list."""
    while True:
        answer = call(request)
        yield answer
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def everything_happened_once(load):
    """No call failed, what was created is there once and in the log once, and the watch saw each revision once."""
    assert not load.failed, "\n".join(load.failed[:20])
    created = sorted(name for name, _ in load.created.values())
    lists = pages(load.vendors.ListVendors, vendor_pb2.ListVendorsRequest(page_size=1000))
    assert sorted(vendor.name for page in lists for vendor in page.vendors) == created
    logs = pages(load.log.ListRevisions, change_log_pb2.ListRevisionsRequest(page_size=1000))
    logged = [(revision.request_id, revision.number) for page in logs for revision in page.revisions]
    assert sorted(logged) == sorted((request_id, revision) for request_id, (_, revision) in load.created.items())

    assert [revision.number for revision in load.seen] == list(range(1, len(created) + 1))
    assert sorted(change.resource_name for revision in load.seen for change in revision.changes) == created
    for earlier, later in zip(load.seen, load.seen[1:]):
        assert later.previous_hash == earlier.hash
    for refusal, number in load.ends:
        # Wherever the watch was, it was told where to go on.
        assert refusal.code == grpc.StatusCode.UNAVAILABLE, refusal.message
        assert refusal.reason == "SERVER_STOPPING"
        assert int(refusal.details["ErrorInfo"].metadata["revision"]) == number


@contextlib.contextmanager
def running(replicas):
    try:
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.serves()
        yield
        for replica in replicas:
            replica.stop()
            assert "cutting what did not finish" not in replica.log.read_text()
    finally:
        for replica in replicas:
            replica.kill()


@contextlib.contextmanager
def under_load(replicas):
    """Calls the replicas while the body runs, then sees what came of it."""
    options = [
        ("grpc.service_config", SERVICE_CONFIG.read_text()),
        # Of several addresses gRPC makes an authority with commas in it, which is none by the rules of HTTP.
        ("grpc.default_authority", "registry"),
        ("grpc.max_receive_message_length", -1),
        *IMPATIENT,
    ]
    target = "ipv4:" + ",".join(replica.address for replica in replicas)
    with running(replicas), grpc.insecure_channel(target, options=options) as channel:
        load = Load(grpc.intercept_channel(channel, Caller()))
        load.start()
        yield load
        load.stop()
        everything_happened_once(load)
        print(f"{len(load.created)} creations, {load.read} reads, {len(load.ends)} ends of the watch")


def test_a_rolling_restart_is_not_noticed(tmp_path):
    url = new_postgres_database()
    replicas = [Replica(url, tmp_path, number) for number in range(3)]
    with under_load(replicas) as load:
        for replica in replicas * 2:
            load.advance()
            replica.stop()
            load.advance()
            replica.start()
            replica.serves()
        load.advance()
    # In each round the watch was somewhere.
    assert len(load.ends) >= 2


def test_old_connections_are_let_go_of_unnoticed(tmp_path):
    ages = {"SERVER__MAX_CONNECTION_AGE_SECONDS": "1", "SERVER__MAX_CONNECTION_AGE_GRACE_SECONDS": "1"}
    url = new_postgres_database()
    with under_load([Replica(url, tmp_path, number, ages) for number in range(2)]) as load:
        load.until(lambda: len(load.ends) >= 2)
