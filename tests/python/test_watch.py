"""WatchChanges: in order, resumable without gap or duplicate, and tampering shows."""

from grpc import StatusCode
from subprocessor.registry.v1 import change_log_pb2, vendor_pb2

from conftest import create_organization, create_subprocessor, create_vendor, newest, refused


def watch(registry, parent="organizations/-", **options):
    return registry.log.WatchChanges(change_log_pb2.WatchChangesRequest(parent=parent, **options))


def until(stream, done):
    """Reads messages until `done(position)`, then cancels. Returns the revisions and where to resume."""
    revisions = []
    for message in stream:
        if message.WhichOneof("event") == "revision":
            revisions.append(message.revision)
            position = (message.revision.number, message.revision.hash)
        else:
            position = (message.checkpoint.revision, message.checkpoint.hash)
        if done(position[0]):
            break
    stream.cancel()
    return revisions, position


def test_resume_has_no_gap_and_no_duplicate(registry, fresh):
    start = newest(registry)
    for number in range(5):
        create_vendor(registry, fresh(f"before-{number}"))
    first, (number, digest) = until(watch(registry, after_revision=start), lambda seen: seen >= start + 3)
    assert number == start + 3

    last = [create_vendor(registry, fresh(f"after-{number}")) for number in range(5)][-1]
    rest, (number, _) = until(
        watch(registry, after_revision=number, after_hash=digest), lambda seen: seen >= last.revision
    )
    assert number == last.revision

    revisions = first + rest
    assert [revision.number for revision in revisions] == list(range(start + 1, last.revision + 1))
    for earlier, later in zip(revisions, revisions[1:]):
        assert later.previous_hash == earlier.hash
    body = vendor_pb2.Vendor()
    assert revisions[-1].changes[0].after.Unpack(body)
    assert body.display_name == last.display_name


def test_a_live_stream_sees_what_is_committed_from_now_on(registry, fresh):
    stream = watch(registry)
    first = next(stream)
    assert first.WhichOneof("event") == "checkpoint", "the stream says where it begins"
    vendor = create_vendor(registry, fresh("live"))
    revisions, _ = until(stream, lambda seen: seen >= vendor.revision)
    assert [change.resource_name for revision in revisions for change in revision.changes] == [vendor.name]


def test_a_filtered_stream_has_only_what_matches(registry, fresh):
    start = newest(registry)
    ours = create_organization(registry, fresh("ours"))
    theirs = create_organization(registry, fresh("theirs"))
    create_vendor(registry, fresh("vendor"))
    create_subprocessor(registry, theirs.name, "row")
    row = create_subprocessor(registry, ours.name, "row")
    end = create_vendor(registry, fresh("end")).revision

    def names(**options):
        revisions, _ = until(watch(registry, after_revision=start, **options), lambda seen: seen >= end)
        return [change.resource_name for revision in revisions for change in revision.changes]

    # The end is reached by a checkpoint: the last revision matches neither filter.
    assert names(parent=ours.name) == [ours.name, row.name]
    assert names(resource_types=["organizations"]) == [ours.name, theirs.name]


def test_a_wrong_hash_is_another_history(registry, fresh):
    revision = create_vendor(registry, fresh("hash")).revision
    with refused(StatusCode.DATA_LOSS, reason="LOG_HASH_MISMATCH"):
        next(watch(registry, after_revision=revision, after_hash=b"\x01" * 32))


def test_the_future_is_out_of_range_with_the_numbers(registry):
    end = newest(registry)
    with refused(StatusCode.OUT_OF_RANGE, reason="LOG_NOT_YET_WRITTEN") as refusal:
        next(watch(registry, after_revision=end + 1))
    assert str(end) in refusal.details["ErrorInfo"].metadata.values()
