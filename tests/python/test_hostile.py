"""The worst inputs: each refused with field and rule, and none changes anything."""

import types

import pytest
from google.protobuf import field_mask_pb2, timestamp_pb2
from grpc import StatusCode
from subprocessor.registry.v1 import (
    change_log_pb2,
    common_pb2,
    organization_pb2,
    subprocessor_pb2,
    vendor_pb2,
)

from conftest import create_organization, create_subprocessor, create_vendor, newest, refused

# What a transport says of a message it cannot take: too large, or not decodable.
TOO_LARGE = (StatusCode.OUT_OF_RANGE, StatusCode.RESOURCE_EXHAUSTED)
UNDECODABLE = (StatusCode.INTERNAL, StatusCode.INVALID_ARGUMENT)


@pytest.fixture(autouse=True)
def nothing_changes(registry, target):
    """After every test here the log ends where it ended before, and the resources are as they were."""
    vendor = vendor_pb2.GetVendorRequest(name=target.vendor)
    before = newest(registry), registry.vendors.GetVendor(vendor)
    yield
    assert (newest(registry), registry.vendors.GetVendor(vendor)) == before


@pytest.fixture(scope="module")
def target(registry):
    """An organization with a list of three rows, its neighbour, and a vendor, to aim at."""

    organization = create_organization(registry, "hostile").name
    neighbour = create_organization(registry, "hostile-neighbour").name
    return types.SimpleNamespace(
        vendor=create_vendor(registry, "hostile-vendor", display_name="Vendor").name,
        organization=organization,
        rows=[create_subprocessor(registry, organization, f"row-{number}").name for number in range(3)],
        foreign_row=create_subprocessor(registry, neighbour, "row").name,
    )


def send_vendor(registry, vendor_id="", request_id="", **fields):
    fields.setdefault("display_name", "Hostile")
    return registry.vendors.CreateVendor(
        vendor_pb2.CreateVendorRequest(
            vendor_id=vendor_id, request_id=request_id, vendor=vendor_pb2.Vendor(**fields)
        )
    )


def list_rows(registry, target, **options):
    options.setdefault("parent", target.organization)
    return registry.subprocessors.ListSubprocessors(subprocessor_pb2.ListSubprocessorsRequest(**options))


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("display_name", {"display_name": "x" * 1_000_000}),
        ("display_name", {"display_name": "a\0b"}),
        ("display_name", {"display_name": "a\x1bb"}),
        ("display_name", {"display_name": "two\nlines"}),
        ("display_name", {"display_name": " \t "}),
        ("vendor_id", {"vendor_id": "a\0b"}),
        ("vendor_id", {"vendor_id": "x" * 64}),
        ("vendor_id", {"vendor_id": "../organizations/hostile"}),
        ("vendor_id", {"vendor_id": "-"}),
        ("request_id", {"request_id": "x" * 129}),
        ("request_id", {"request_id": "a\0b"}),
        ("annotations", {"annotations": {f"key-{number}": "" for number in range(65)}}),
        ("annotations", {"annotations": {"k" * 64: ""}}),
        ("annotations", {"annotations": {"key": "\0"}}),
        ("aliases", {"aliases": ["fine", "a\0b"]}),
        ("aliases", {"aliases": [f"alias {number}" for number in range(100_000)]}),
        ("website_uri", {"website_uri": "javascript:alert(1)"}),
        ("parent_vendor", {"parent_vendor": "organizations/hostile"}),
        ("kind", {"contacts": [common_pb2.Contact(kind=999, email="a@b.example")]}),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_text_and_values(registry, field, fields):
    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        send_vendor(registry, **fields)
    # A map's entry may be named by its key.
    assert any(bad.startswith(field) for bad in refusal.fields) or field == "annotations"


@pytest.mark.parametrize("size", [10_000_000, 100_000_000])
def test_a_message_over_the_limit(registry, size):
    with refused(*TOO_LARGE):
        send_vendor(registry, display_name="x" * size)


def encoded(number, payload):
    """A length-delimited protobuf field, made by hand."""
    assert len(payload) < 128 and number < 16
    return bytes([number << 3 | 2, len(payload)]) + payload


@pytest.mark.parametrize(
    "body",
    [
        encoded(2, encoded(10, b"\xff\xfe")),
        encoded(2, encoded(10, b"\xc0\xaf")),  # an overlong slash
        encoded(2, encoded(10, b"\xed\xa0\x80")),  # a lone surrogate
        encoded(2, encoded(10, b"\xf5\x80\x80\x80")),  # beyond the last code point
        encoded(1, b"\x80"),
        encoded(2, encoded(10, b"Cut off"))[:-3],
        b"\x12\xff\xff\xff\xff\x0f",  # a length of 4 GiB
        b"\x10\x01",  # a number where a message belongs
        b"\xff" * 11,  # a varint that does not end
        b"\x0b" * 10_000,  # groups within groups
    ],
    ids=["latin", "overlong", "surrogate", "beyond", "id", "cut", "length", "wire-type", "varint", "groups"],
)
def test_bytes_that_are_no_message(registry, body):
    call = registry.channel.unary_unary("/subprocessor.registry.v1.VendorService/CreateVendor")
    with refused(*UNDECODABLE):
        call(body)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + 'display_name = "x"' + ")" * 10_000,
        "(" * 10_000,
        "NOT " * 10_000 + 'display_name = "x"',
        "-" * 10_000 + "x",
        " AND ".join(['display_name = "x"'] * 10_000),
        " ".join(['display_name = "x"'] * 10_000),
        "a." * 10_000 + 'b = "x"',
        'display_name = "' + "x" * 1_000_000 + '"',
        'display_name = "unterminated',
        'display_name = "a\0b"',
        'no_such_field = "x"',
        'body = "x"',
        "from_revision > 0",
        'lower(display_name) = "x"',
        'display_name = "x" OR 1 = 1',
        'start_date > "2023-02-30"',
        "state = NO_SUCH_STATE",
        "=",
        "\u202e",
    ],
    ids=lambda text: text[:20].encode("unicode_escape").decode(),
)
def test_filters(registry, target, text):
    with refused(StatusCode.INVALID_ARGUMENT, reason="FILTER_INVALID") as refusal:
        list_rows(registry, target, filter=text)
    assert refusal.fields == {"filter"}


@pytest.mark.parametrize("text", ["'; DROP TABLE subprocessors; --", "%", "_", "\\", "row_0", "ROW-0", "\U0010ffff"])
def test_a_filter_compares_text_as_text(registry, target, text):
    quoted = text.replace("\\", "\\\\")
    assert not list_rows(registry, target, filter=f'display_name = "{quoted}"').subprocessors


@pytest.mark.parametrize("text", ["no_such_field", "body", "display_name sideways", "name; DROP TABLE vendors", "\0"])
def test_orders(registry, target, text):
    with refused(StatusCode.INVALID_ARGUMENT, reason="ORDER_BY_INVALID") as refusal:
        list_rows(registry, target, order_by=text)
    assert refusal.fields == {"order_by"}


def test_forged_page_tokens(registry, target):
    token = list_rows(registry, target, page_size=1).next_page_token
    assert token

    def flipped(at):
        return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]

    forged = ["x", "\0", "AAAA", "x" * 1_000_000, token[::-1], token[:-4], token + token]
    forged += [flipped(at) for at in (0, len(token) // 2, len(token) - 4)]
    for text in forged:
        with refused(StatusCode.INVALID_ARGUMENT, reason="PAGE_TOKEN_INVALID") as refusal:
            list_rows(registry, target, page_size=1, page_token=text)
        assert refusal.fields == {"page_token"}


@pytest.mark.parametrize("size", [-1, -(2**31)])
def test_negative_pages(registry, target, size):
    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        list_rows(registry, target, page_size=size)
    assert refusal.fields == {"page_size"}


@pytest.mark.parametrize(
    "name",
    [
        "organizations/hostile",
        "organizations/hostile/subprocessors/row-0",
        "hostile-vendor",
        "/vendors/hostile-vendor",
        "vendors/hostile-vendor/",
        "vendors/hostile-vendor/extra",
        "vendors//hostile-vendor",
        "vendors/",
        "vendors/-",
        "vendors/../organizations/hostile",
    ],
)
def test_names_of_other_resources(registry, name):
    for call in calls_by_name(registry, name):
        with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
            call()
        assert refusal.fields == {"name"}


@pytest.mark.parametrize("vendor_id", ["HOSTILE-VENDOR", "%", "a\0b", "hostile-vendor ", "x" * 100_000])
def test_names_of_nothing(registry, vendor_id):
    for call in calls_by_name(registry, f"vendors/{vendor_id}"):
        with refused(StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND):
            call()


def calls_by_name(registry, name):
    return [
        lambda: registry.vendors.GetVendor(vendor_pb2.GetVendorRequest(name=name)),
        lambda: registry.vendors.DeleteVendor(vendor_pb2.DeleteVendorRequest(name=name)),
        lambda: registry.vendors.UpdateVendor(
            vendor_pb2.UpdateVendorRequest(vendor=vendor_pb2.Vendor(name=name, display_name="Taken"))
        ),
    ]


def test_names_of_other_organizations(registry, target):
    def create(**fields):
        create_subprocessor(registry, target.organization, "hostile-row", **fields)

    codes = (StatusCode.INVALID_ARGUMENT, StatusCode.FAILED_PRECONDITION)
    for fields in [
        {"engaged_by": target.foreign_row},
        {"engaged_by": target.vendor},
        {"vendor": target.organization},
        {"vendor": "vendors/no-such-vendor"},
        {"vendor": target.vendor, "vendor_entity": "no-such-entity"},
        {"products": ["no-such-product"]},
    ]:
        with refused(*codes) as refusal:
            create(**fields)
        assert refusal.details.keys() & {"BadRequest", "PreconditionFailure"}
    for parent in [target.vendor, target.rows[0], "organizations/-", "organizations", ""]:
        with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
            create_subprocessor(registry, parent, "hostile-row")
        assert refusal.fields == {"parent"}


@pytest.mark.parametrize(
    "day",
    [
        "0000-01-01",
        "9999-12-31",
        "2023-02-30",
        "2023-13-01",
        "-2023-01-01",
        "20230101",
        "2023-1-1",
        "2023-01-01T00:00:00Z",
        "2023-01-01\0",
    ],
)
def test_dates(registry, target, day):
    def create(**fields):
        active = subprocessor_pb2.Subprocessor.STATE_ACTIVE
        create_subprocessor(
            registry, target.organization, "hostile-row", recorded_as_found=True, state=active, **fields
        )

    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        create(start_date=day, next_review_date=day, dpa=subprocessor_pb2.Dpa(sign_date=day))
    assert refusal.fields == {"start_date", "next_review_date", "sign_date"}
    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        list_rows(registry, target, effective_at=day)
    assert refusal.fields == {"effective_at"}


@pytest.mark.parametrize(
    "point",
    [
        common_pb2.AsOf(revision=-1),
        common_pb2.AsOf(revision=2**63 - 1),
        common_pb2.AsOf(time=timestamp_pb2.Timestamp(seconds=2**62)),
        common_pb2.AsOf(time=timestamp_pb2.Timestamp(seconds=-(2**62))),
        common_pb2.AsOf(time=timestamp_pb2.Timestamp(nanos=-1)),
        common_pb2.AsOf(time=timestamp_pb2.Timestamp(seconds=253402300799)),
    ],
    ids=["negative", "far", "after-time", "before-time", "nanos", "year-9999"],
)
def test_points_in_time(registry, target, point):
    with refused(StatusCode.INVALID_ARGUMENT, StatusCode.OUT_OF_RANGE):
        list_rows(registry, target, as_of=point)


@pytest.mark.parametrize("path", ["no_such_field", "uid", "revision", "display_name.x", "\0", ""])
def test_masks(registry, target, path):
    request = vendor_pb2.UpdateVendorRequest(
        vendor=vendor_pb2.Vendor(name=target.vendor, display_name="Masked", uid="forged", revision=7),
        update_mask=field_mask_pb2.FieldMask(paths=[path]),
    )
    with refused(StatusCode.INVALID_ARGUMENT, reason="UPDATE_MASK_INVALID") as refusal:
        registry.vendors.UpdateVendor(request)
    assert refusal.fields == {"update_mask"}


@pytest.mark.parametrize(
    "options",
    [
        {"parent": "organizations/-", "after_revision": -1},
        {"parent": "organizations/-", "after_revision": 1, "after_hash": b"short"},
        {"parent": "organizations/-", "resource_types": ["no-such-type"]},
        {"parent": "vendors/hostile-vendor"},
        {"parent": ""},
    ],
    ids=["negative", "short-hash", "type", "vendor", "none"],
)
def test_watches(registry, options):
    with refused(StatusCode.INVALID_ARGUMENT, StatusCode.DATA_LOSS, StatusCode.OUT_OF_RANGE):
        next(registry.log.WatchChanges(change_log_pb2.WatchChangesRequest(**options)))


def test_numbers(registry):
    policy = organization_pb2.NoticePolicy(notice_days=-1, enforcement=999)
    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        create_organization(registry, "hostile-new", role=999, notice_policy=policy)
    assert refusal.fields == {"role", "notice_days", "enforcement"}
