"""What a server tells of itself: traces to a collector, metrics to a reader, logs to an operator."""

import collections
import json
import os
import queue
import signal
import subprocess
import time
import urllib.request
from concurrent import futures

import grpc
import pytest
from conftest import PRINCIPAL, ROOT, TIMEOUT, running
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from subprocessor.registry.v1 import change_log_pb2, vendor_pb2
from test_webhooks import Receiver, kind, listed, subscribed

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = [("traceparent", f"00-{TRACE}-{PARENT}-01")]
NOT_SAMPLED = [("traceparent", f"00-{TRACE[::-1]}-{PARENT}-00")]


class Collector(
    trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer
):
    """Takes what is sent by OTLP."""

    def __init__(self):
        self.spans, self.metrics = queue.Queue(), queue.Queue()
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(self.metrics), self.server)
        self.endpoint = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def Export(self, request, context):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.put(span)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, got):
        self.got = got

    def Export(self, request, context):
        self.got.put(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@pytest.fixture
def collector():
    one = Collector()
    yield one
    one.server.stop(None)


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def read(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=TIMEOUT) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def values(text):
    """Each series with its value."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def until(look, what):
    end = time.monotonic() + TIMEOUT
    while not (found := look()):
        assert time.monotonic() < end, what
    return found


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_one_trace_spans_the_call_its_statements_and_the_webhook_it_caused(database, tmp_path, collector):
    receiver = Receiver()
    settings = {"TELEMETRY__OTLP_ENDPOINT": collector.endpoint, "TELEMETRY__SAMPLE_RATIO": "0.0"}
    with running(database, tmp_path, **settings) as registry:
        parent, _, _ = subscribed(registry, receiver, "traced")
        traced = grpc.intercept_channel(registry.channel, _With(SAMPLED))
        registry.subprocessors = type(registry.subprocessors)(traced)
        listed(registry, parent, "first")
        headers, body = receiver.next()
        assert kind(json.loads(body)) == "list.changed"
        # Of what is not to be recorded the context goes on, and no span.
        registry.subprocessors = type(registry.subprocessors)(
            grpc.intercept_channel(registry.channel, _With(NOT_SAMPLED))
        )
        listed(registry, parent, "second")
        silent, _ = receiver.next()
    receiver.server.shutdown()
    receiver.server.server_close()

    spans = list(collector.spans.queue)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    names = {span.span_id.hex(): span.name for span in spans}
    call = next(s for s in spans if s.name == "subprocessor.registry.v1.SubprocessorService/CreateSubprocessor")
    assert call.parent_span_id.hex() == PARENT
    said = attributes(call)
    assert said["rpc.system.name"] == "grpc"
    assert said["rpc.response.status_code"] == "OK"

    statements = [s for s in spans if "db.system.name" in attributes(s)]
    assert all(names[s.parent_span_id.hex()] == call.name for s in statements)
    insert = next(s for s in statements if s.name == "INSERT revision")
    said = attributes(insert)
    assert said["db.system.name"] == {"sqlite": "sqlite", "postgres": "postgresql"}[database]
    assert (said["db.operation.name"], said["db.collection.name"]) == ("INSERT", "revision")
    # The text of the statement has none of its values.
    assert said["db.query.text"].startswith("INSERT INTO")
    assert "CreateSubprocessor" not in said["db.query.text"]

    post = next(s for s in spans if s.name == "POST")
    said = attributes(post)
    assert said["http.request.method"] == "POST"
    assert said["http.response.status_code"] == 200
    assert said["server.address"] == "127.0.0.1"
    assert post.parent_span_id.hex() == call.span_id.hex()
    assert headers["traceparent"] == f"00-{TRACE}-{post.span_id.hex()}-01"
    # Nothing of a secret path is told.
    assert not any("/hook" in str(value) for value in said.values())
    assert silent["traceparent"].split("-")[1::2] == [TRACE[::-1], "00"]


class _With(grpc.UnaryUnaryClientInterceptor):
    """Adds metadata to calls."""

    def __init__(self, metadata):
        self.metadata = metadata

    def intercept_unary_unary(self, proceed, details, request):
        more = [*(details.metadata or []), *self.metadata]
        return proceed(details._replace(metadata=more) if hasattr(details, "_replace") else _details(details, more), request)


def _details(details, metadata):
    copy = grpc.ClientCallDetails()
    for name in ("method", "timeout", "credentials", "wait_for_ready", "compression"):
        setattr(copy, name, getattr(details, name, None))
    copy.metadata = metadata
    return copy


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_metrics_are_what_happened_and_prometheus_can_read_them(database, tmp_path):
    receiver = Receiver()
    with running(database, tmp_path) as registry:
        parent, _, _ = subscribed(registry, receiver, "measured")
        listed(registry, parent, "first")
        receiver.next()
        with pytest.raises(grpc.RpcError):
            registry.vendors.GetVendor(vendor_pb2.GetVendorRequest(name="vendors/nobody"))
        stream = registry.log.WatchChanges(
            change_log_pb2.WatchChangesRequest(parent="organizations/-", after_revision=0)
        )
        next(stream)
        service = 'grpc_service="subprocessor.registry.v1.VendorService",grpc_type="unary"'
        one = f'grpc_server_handled_total{{grpc_code="NOT_FOUND",grpc_method="GetVendor",{service}}}'
        delivered = 'subprocessor_registry_delivery_attempts_total{channel="webhook",result="delivered"}'
        text = until(lambda: (t := read(registry.address)) and values(t).get(delivered) == 2 and t, "delivered")
        seen = values(text)
        assert seen[one] == 1
        assert seen["subprocessor_registry_watch_streams"] == 1
        stream.cancel()
        until(lambda: values(read(registry.address))["subprocessor_registry_watch_streams"] == 0, "the stream is open")
        watch = 'grpc_code="CANCELLED",grpc_method="WatchChanges"'
        until(lambda: watch in read(registry.address), "the cancelled stream is not counted")
        until(lambda: 'subprocessor_registry_findings{severity="CRITICAL"}' in read(registry.address), "no findings")

        text = read(registry.address)
        seen = values(text)
        assert seen['subprocessor_registry_pool_max_connections{pool="reads"}'] == 10
        assert seen["subprocessor_registry_revision"] > 2
        assert seen["subprocessor_registry_writer_batch_size_count"] >= 3
        types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
        assert types["rpc_server_call_duration_seconds"] == "histogram"
        assert types["grpc_server_handled_total"] == "counter"
        checked = subprocess.run(
            [ROOT / ".tools" / "promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=TIMEOUT
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
    receiver.server.shutdown()
    receiver.server.server_close()


def test_metrics_go_to_the_collector_too_and_can_have_an_address_of_their_own(tmp_path, collector):
    settings = {
        "TELEMETRY__OTLP_ENDPOINT": collector.endpoint,
        "TELEMETRY__OTLP_INTERVAL_SECONDS": "1",
        "TELEMETRY__METRICS_LISTEN": "127.0.0.1:0",
    }
    with running("sqlite", tmp_path, **settings) as registry:
        request = collector.metrics.get(timeout=TIMEOUT)
        names = {
            metric.name
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        assert "subprocessor_registry.revision" in names
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read(registry.address)
        log = registry.log_file.read_text()
        own = next(line for line in log.splitlines() if " metrics " in line).rsplit("(", 1)[1].rstrip(")")
        assert "subprocessor_registry_build_info" in read(own)


@pytest.mark.parametrize("ratio", ["0.0", "1.0"])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_lines_of_the_log_say_which_call_and_which_trace(log_format, ratio, tmp_path, collector):
    settings = {"OTLP_ENDPOINT": collector.endpoint, "SAMPLE_RATIO": ratio, "LOG_FILTER": "debug", "LOG_FORMAT": log_format}
    with running("sqlite", tmp_path, **{f"TELEMETRY__{key}": value for key, value in settings.items()}) as registry:
        get = vendor_pb2.GetVendorRequest(name="vendors/aws")

        def ended():
            lines = registry.log_file.read_text().splitlines()
            return [line for line in lines if "call ended" in line and "VendorService/GetVendor" in line]

        def line_of(metadata):
            before = len(ended())
            registry.vendors.GetVendor(get, metadata=metadata)
            line = until(lambda: ended()[before:], "no line")[0]
            if log_format == "json":
                return json.loads(line)
            return dict(part.split("=", 1) for part in line.split() if "=" in part)

        # Whether or not anybody records the trace.
        for metadata, trace in [(SAMPLED, TRACE), (NOT_SAMPLED, TRACE[::-1]), ([], None)]:
            line = line_of(metadata)
            assert line["rpc.method"] == "subprocessor.registry.v1.VendorService/GetVendor"
            assert (line["principal"], line["client.address"]) == (PRINCIPAL, "127.0.0.1")
            assert len(line["trace_id"]) == 32
            assert trace in (None, line["trace_id"])
        # One that begins here has an id of its own.
        assert line_of([])["trace_id"] != line_of([])["trace_id"]
        # Of what is called for its own sake, as health was until now, nothing is said.
        lines = registry.log_file.read_text().splitlines()
        assert all("rpc.method" in line for line in lines if "call ended" in line)


def test_the_log_filter_changes_while_the_server_runs(tmp_path):
    config = tmp_path / "registry.toml"

    def say(log_filter):
        new = tmp_path / "new.toml"
        new.write_text(f'[telemetry]\nlog_filter = "{log_filter}"\nlog_format = "json"\n')
        os.replace(new, config)

    say("info")
    with running("sqlite", tmp_path, config=config) as registry:

        def lines():
            return [json.loads(line) for line in registry.log_file.read_text().splitlines()]

        get = vendor_pb2.GetVendorRequest(name="vendors/aws")
        registry.vendors.GetVendor(get)
        assert not any(line.get("message", "") == "call ended" for line in lines())
        say("debug")
        registry.process.send_signal(signal.SIGHUP)
        until(lambda: any(line.get("message", "") == "the log filter has changed" for line in lines()), "it has not changed")
        registry.vendors.GetVendor(get)
        until(lambda: any(line.get("message", "") == "call ended" for line in lines()), "nothing more is logged")
        # What cannot be read changes nothing, and is said.
        say("a=b=c")
        registry.process.send_signal(signal.SIGHUP)
        until(lambda: any("stays as it is" in line.get("message", "") for line in lines()), "nothing was said")
        before = collections.Counter(line.get("message", "") for line in lines())["call ended"]
        registry.vendors.GetVendor(get)
        until(lambda: collections.Counter(line.get("message", "") for line in lines())["call ended"] > before, "it was changed")

