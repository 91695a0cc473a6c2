"""Follows what changes, without gap or duplicate, across restarts of the server and of this program.

    ./run.sh watch.py organizations/- --state watch.json [--target 127.0.0.1:50051]
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

import grpc
from subprocessor.registry.v1 import change_log_pb2, change_log_pb2_grpc

from registry import connect, explain

# After these the same stream goes on elsewhere or later. Others need a person: DATA_LOSS is a history that was altered,
# OUT_OF_RANGE one that does not reach where we were (a database restored from an old backup).
RESUMABLE = {
    grpc.StatusCode.UNAVAILABLE,  # the server stops, or the connection broke
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # we read too slowly
}


def follow(log, parent, position):
    """Yields every revision after `position`, with its own; a checkpoint is a position without a revision.

    A position is the number of a revision and its hash. The hash makes the server refuse to go on in another history.
    """
    while True:
        number, digest = position
        request = change_log_pb2.WatchChangesRequest(parent=parent, after_revision=number, after_hash=digest)
        try:
            # wait_for_ready: the channel knows best when, and to which replica, it can connect again.
            for message in log.WatchChanges(request, wait_for_ready=True):
                if message.WhichOneof("event") == "revision":
                    position = (message.revision.number, message.revision.hash)
                    yield position, message.revision
                else:
                    position = (message.checkpoint.revision, message.checkpoint.hash)
                    yield position, None
        except grpc.RpcError as error:
            if error.code() not in RESUMABLE:
                raise
        # Not at once, and not all watchers of a server that stopped in the same moment.
        time.sleep(random.uniform(0.1, 1))


def load(state):
    """Where we were. Revision 0, without a hash, is the beginning."""
    if not state.exists():
        return 0, b""
    saved = json.loads(state.read_text())
    return saved["revision"], bytes.fromhex(saved["hash"])


def save(state, position):
    """Whole or not at all: a file cut short would not say where to resume."""
    number, digest = position
    written = state.with_suffix(".new")
    written.write_text(json.dumps({"revision": number, "hash": digest.hex()}))
    os.replace(written, state)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parent", help="organizations/{organization}, or organizations/- for all")
    parser.add_argument("--state", type=Path, required=True, help="a file that remembers where we were")
    parser.add_argument("--target", default="127.0.0.1:50051")
    arguments = parser.parse_args()

    with connect(arguments.target) as channel:
        log = change_log_pb2_grpc.ChangeLogServiceStub(channel)
        for position, revision in follow(log, arguments.parent, load(arguments.state)):
            for change in revision.changes if revision else ():
                kind = change_log_pb2.Change.Kind.Name(change.kind).removeprefix("KIND_")
                print(f"{revision.number} {kind} {change.resource_name}", flush=True)
            # After the work is done: killed in between, we do it twice rather than not at all. To do it exactly once,
            # keep the position in the database that the work is written to, in the same transaction.
            save(arguments.state, position)


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        raise SystemExit("\n".join(explain(error))) from None
    except KeyboardInterrupt:
        pass
