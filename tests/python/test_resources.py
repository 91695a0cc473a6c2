"""Create, read, list page by page, change, delete."""

import pytest
from google.protobuf import field_mask_pb2
from subprocessor.registry.v1 import change_log_pb2, common_pb2, subprocessor_pb2, vendor_pb2

from conftest import PRINCIPAL, create_organization, create_subprocessor, create_vendor, newest


def test_what_was_created_is_read_back(registry, fresh):
    vendor = create_vendor(
        registry,
        fresh("mail"),
        display_name="Mäil & Co",
        entities=[vendor_pb2.Entity(entity_id="inc", legal_name="Mäil Inc.", region_code="US")],
    )
    assert vendor.name == f"vendors/{fresh('mail')}"
    assert vendor.uid and vendor.etag and vendor.revision
    assert vendor.origin == vendor_pb2.Vendor.ORIGIN_CUSTOM
    assert registry.vendors.GetVendor(vendor_pb2.GetVendorRequest(name=vendor.name)) == vendor

    organization = create_organization(registry, fresh("acme"))
    subprocessor = create_subprocessor(
        registry,
        organization.name,
        "mail",
        vendor=vendor.name,
        vendor_entity="inc",
        role=common_pb2.ROLE_SUB_PROCESSOR,
        purposes=["E-mail"],
        locations=[
            subprocessor_pb2.Location(region_code="US", activity=subprocessor_pb2.Location.ACTIVITY_STORAGE)
        ],
    )
    assert subprocessor.name == f"{organization.name}/subprocessors/mail"
    assert subprocessor.state == subprocessor_pb2.Subprocessor.STATE_PROPOSED
    read = registry.subprocessors.GetSubprocessor(subprocessor_pb2.GetSubprocessorRequest(name=subprocessor.name))
    assert read == subprocessor

    revision = registry.log.GetRevision(
        change_log_pb2.GetRevisionRequest(name=f"revisions/{subprocessor.revision}")
    )
    assert revision.principal == PRINCIPAL
    assert [change.resource_name for change in revision.changes] == [subprocessor.name]


def test_all_pages_show_one_revision(registry, fresh):
    organization = create_organization(registry, fresh("pages"))
    ids = [f"row-{number}" for number in range(7)]
    for subprocessor_id in ids:
        create_subprocessor(registry, organization.name, subprocessor_id)

    pages = []
    request = subprocessor_pb2.ListSubprocessorsRequest(parent=organization.name, page_size=3)
    while not pages or request.page_token:
        page = registry.subprocessors.ListSubprocessors(request)
        pages.append(page)
        request.page_token = page.next_page_token
        # Comes in the middle of the walk, and belongs to a later revision.
        create_subprocessor(registry, organization.name, f"row-4-{len(pages)}")
    rows = [row.name.rsplit("/", 1)[-1] for page in pages for row in page.subprocessors]
    assert rows == ids
    assert len({page.revision for page in pages}) == 1
    assert all(len(page.subprocessors) <= 3 for page in pages)

    everything = registry.subprocessors.ListSubprocessors(
        subprocessor_pb2.ListSubprocessorsRequest(parent=organization.name, page_size=2**31 - 1)
    )
    assert len(everything.subprocessors) == len(ids) + len(pages)
    assert not everything.next_page_token


def test_order_is_by_code_point_on_both_databases(registry, fresh):
    organization = create_organization(registry, fresh("order"))
    names = ["_", "a", "B", "ä", "Z", "~", "é"]
    for number, name in enumerate(names):
        create_subprocessor(registry, organization.name, f"n{number}", display_name=name)
    page = registry.subprocessors.ListSubprocessors(
        subprocessor_pb2.ListSubprocessorsRequest(parent=organization.name, order_by="display_name")
    )
    assert [row.display_name for row in page.subprocessors] == sorted(names)


def test_an_update_takes_the_masked_fields_and_history_stays(registry, fresh):
    before = create_vendor(registry, fresh("old"), display_name="Old", website_uri="https://old.example")
    changed = vendor_pb2.Vendor(name=before.name, etag=before.etag, display_name="New", website_uri="https://x.example")
    request = vendor_pb2.UpdateVendorRequest(
        vendor=changed, update_mask=field_mask_pb2.FieldMask(paths=["display_name"])
    )
    after = registry.vendors.UpdateVendor(request)
    assert (after.display_name, after.website_uri) == ("New", "https://old.example")
    assert after.etag != before.etag and after.revision > before.revision

    then = vendor_pb2.GetVendorRequest(name=before.name, as_of=common_pb2.AsOf(revision=before.revision))
    assert registry.vendors.GetVendor(then) == before

    # The same again changes nothing, so it makes no revision.
    request.vendor.etag = after.etag
    unchanged = newest(registry)
    assert registry.vendors.UpdateVendor(request) == after
    assert newest(registry) == unchanged


def test_a_deleted_resource_is_hidden_and_comes_back(registry, fresh):
    organization = create_organization(registry, fresh("gone"))
    row = create_subprocessor(registry, organization.name, "row")
    deleted = registry.subprocessors.DeleteSubprocessor(
        subprocessor_pb2.DeleteSubprocessorRequest(name=row.name, etag=row.etag)
    )
    assert deleted.HasField("delete_time")

    def listed(**options):
        request = subprocessor_pb2.ListSubprocessorsRequest(parent=organization.name, **options)
        return [found.name for found in registry.subprocessors.ListSubprocessors(request).subprocessors]

    assert listed() == []
    assert listed(show_deleted=True) == [row.name]
    assert listed(as_of=common_pb2.AsOf(revision=row.revision)) == [row.name]
    registry.subprocessors.UndeleteSubprocessor(subprocessor_pb2.UndeleteSubprocessorRequest(name=row.name))
    assert listed() == [row.name]


@pytest.mark.parametrize("vendor_id", ["ghost", ""])
def test_validate_only_writes_nothing(registry, fresh, vendor_id):
    before = newest(registry)
    request = vendor_pb2.CreateVendorRequest(
        vendor_id=vendor_id and fresh(vendor_id), vendor=vendor_pb2.Vendor(display_name="Ghost"), validate_only=True
    )
    assert registry.vendors.CreateVendor(request).display_name == "Ghost"
    assert newest(registry) == before
