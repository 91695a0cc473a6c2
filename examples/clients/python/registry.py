"""What every program that calls the registry wants once: a channel that retries what is safe, and readable errors."""

from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# Published with the contract: which methods are sent again, when, and how replicas are chosen and checked.
SERVICE_CONFIG = Path(__file__).resolve().parents[3] / "proto" / "service_config.json"

# Seconds. gRPC itself sets no limit: without one, a call to a server that hangs never ends.
DEADLINE = 10


def connect(target):
    """A channel to the registry. With several replicas, `target` is `dns:///registry.example:50051`."""
    options = [
        ("grpc.service_config", SERVICE_CONFIG.read_text()),
        # A connection that died without a word is found out by pings. A stream can be silent for long.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
    # Elsewhere than on this machine: grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
    return grpc.insecure_channel(target, options)


def detail(error, kind):
    """The detail of a type in what a call raised, e.g. `error_details_pb2.BadRequest`; an empty one if it has none."""
    found = kind()
    status = rpc_status.from_call(error)
    for packed in status.details if status else ():
        if packed.Unpack(found):
            break
    return found


def explain(error):
    """An error as lines for people. Programs look at the code and the reason, never at the message."""
    reason = detail(error, error_details_pb2.ErrorInfo).reason
    yield f"{error.code().name} {reason}: {error.details()}"
    for violation in detail(error, error_details_pb2.BadRequest).field_violations:
        yield f"  {violation.field}: {violation.description}"
