"""Errors a program can act on: the canonical code, a published reason, and typed details."""

import uuid

import pytest
from grpc import StatusCode
from subprocessor.registry.v1 import error_pb2, organization_pb2, subprocessor_pb2, vendor_pb2

from conftest import create_organization, create_subprocessor, create_vendor, newest, refused


def test_every_bad_field_is_named_at_once(registry):
    request = vendor_pb2.CreateVendorRequest(
        vendor_id="Not An Id",
        vendor=vendor_pb2.Vendor(
            display_name="",
            website_uri="no address",
            entities=[vendor_pb2.Entity(entity_id="e", legal_name="E", region_code="XX")],
        ),
    )
    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        registry.vendors.CreateVendor(request)
    assert refusal.fields == {"vendor_id", "display_name", "website_uri", "region_code"}
    assert "ERROR_REASON_FIELD_INVALID" in error_pb2.ErrorReason.keys()


def test_what_does_not_exist_is_named(registry, fresh):
    name = f"vendors/{fresh('nobody')}"
    with refused(StatusCode.NOT_FOUND, reason="RESOURCE_NOT_FOUND") as refusal:
        registry.vendors.GetVendor(vendor_pb2.GetVendorRequest(name=name))
    assert refusal.details["ResourceInfo"].resource_name == name


def test_an_id_is_given_once(registry, fresh):
    vendor = create_vendor(registry, fresh("once"))
    with refused(StatusCode.ALREADY_EXISTS, reason="RESOURCE_EXISTS"):
        create_vendor(registry, fresh("once"))
    registry.vendors.DeleteVendor(vendor_pb2.DeleteVendorRequest(name=vendor.name))
    with refused(StatusCode.ALREADY_EXISTS, reason="RESOURCE_EXISTS"):
        create_vendor(registry, fresh("once"))


def test_a_stale_etag_aborts(registry, fresh):
    stale = create_vendor(registry, fresh("etag"))
    current = vendor_pb2.Vendor(name=stale.name, etag=stale.etag, display_name="First")
    registry.vendors.UpdateVendor(vendor_pb2.UpdateVendorRequest(vendor=current))
    current.display_name = "Second"
    with refused(StatusCode.ABORTED, reason="ETAG_STALE"):
        registry.vendors.UpdateVendor(vendor_pb2.UpdateVendorRequest(vendor=current))
    with refused(StatusCode.ABORTED, reason="ETAG_STALE"):
        registry.vendors.DeleteVendor(vendor_pb2.DeleteVendorRequest(name=stale.name, etag=stale.etag))


def test_a_request_id_is_answered_once(registry, fresh):
    request = vendor_pb2.CreateVendorRequest(
        vendor_id=fresh("retry"), vendor=vendor_pb2.Vendor(display_name="Retry"), request_id=str(uuid.uuid4())
    )
    first = registry.vendors.CreateVendor(request)
    after = newest(registry)
    assert registry.vendors.CreateVendor(request) == first
    request.vendor.display_name = "Other"
    with refused(StatusCode.ALREADY_EXISTS, reason="REQUEST_ID_REUSED"):
        registry.vendors.CreateVendor(request)
    assert newest(registry) == after


def test_a_page_token_belongs_to_its_query(registry, fresh):
    organization = create_organization(registry, fresh("token"))
    for number in range(3):
        create_subprocessor(registry, organization.name, f"row-{number}")
    request = subprocessor_pb2.ListSubprocessorsRequest(parent=organization.name, page_size=1)
    request.page_token = registry.subprocessors.ListSubprocessors(request).next_page_token

    others = [
        {"filter": 'display_name = "row-1"'},
        {"order_by": "display_name desc"},
        {"show_deleted": True},
        {"parent": "organizations/-"},
        {"effective_at": "2024-01-01"},
    ]
    for other in others:
        changed = subprocessor_pb2.ListSubprocessorsRequest()
        changed.CopyFrom(request)
        for field, value in other.items():
            setattr(changed, field, value)
        with refused(StatusCode.INVALID_ARGUMENT, reason="PAGE_TOKEN_INVALID"):
            registry.subprocessors.ListSubprocessors(changed)
    with refused(StatusCode.INVALID_ARGUMENT, reason="PAGE_TOKEN_INVALID"):
        registry.vendors.ListVendors(vendor_pb2.ListVendorsRequest(page_token=request.page_token))

    # `page_size` alone may differ.
    request.page_size = 2
    assert len(registry.subprocessors.ListSubprocessors(request).subprocessors) == 2


def test_what_others_refer_to_stays(registry, fresh):
    vendor = create_vendor(registry, fresh("used"))
    organization = create_organization(registry, fresh("user"))
    row = create_subprocessor(registry, organization.name, "row", vendor=vendor.name)
    with refused(StatusCode.FAILED_PRECONDITION, reason="RESOURCE_IN_USE") as refusal:
        registry.vendors.DeleteVendor(vendor_pb2.DeleteVendorRequest(name=vendor.name))
    assert row.name in str(refusal.details["PreconditionFailure"])


@pytest.mark.parametrize("method", ["VendorService/NoSuchMethod", "NoSuchService/GetVendor"])
def test_an_unknown_method_is_unimplemented(registry, method):
    call = registry.channel.unary_unary(f"/subprocessor.registry.v1.{method}")
    with refused(StatusCode.UNIMPLEMENTED):
        call(b"")


def test_a_name_is_needed(registry):
    with refused(StatusCode.INVALID_ARGUMENT, reason="FIELD_INVALID") as refusal:
        registry.organizations.GetOrganization(organization_pb2.GetOrganizationRequest())
    assert refusal.fields == {"name"}
