"""Reads a list page by page, writes once however often it is sent, and reads a refusal field by field.

    ./run.sh tour.py organizations/crescendo [--target 127.0.0.1:50051]
"""

import argparse
import uuid

import grpc
from subprocessor.registry.v1 import subprocessor_pb2, subprocessor_pb2_grpc, vendor_pb2, vendor_pb2_grpc

from registry import DEADLINE, connect, explain


def subprocessors(stub, parent):
    """Every row of an organization's list. All pages come from one revision, whatever is written meanwhile."""
    # Small, so that there are several pages. Absent it is 50; 1,000 is the most.
    request = subprocessor_pb2.ListSubprocessorsRequest(parent=parent, page_size=2)
    while True:
        page = stub.ListSubprocessors(request, timeout=DEADLINE)
        yield from page.subprocessors
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def create_once(stub):
    """Creates a vendor. The request id makes it safe to send again: by us, or by the channel's own retries."""
    request = vendor_pb2.CreateVendorRequest(
        vendor_id=f"example-{uuid.uuid4().hex[:8]}",
        vendor=vendor_pb2.Vendor(display_name="Example Mail", website_uri="https://mail.example"),
        # Chosen once for one intention, before the first try. Kept with the intention, it outlives a crash of ours.
        request_id=str(uuid.uuid4()),
    )
    vendor = stub.CreateVendor(request, timeout=DEADLINE)
    again = stub.CreateVendor(request, timeout=DEADLINE)
    assert again == vendor, "the first answer, and nothing written"
    return vendor


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("organization", help="organizations/{organization}")
    parser.add_argument("--target", default="127.0.0.1:50051")
    arguments = parser.parse_args()

    with connect(arguments.target) as channel:
        vendors = vendor_pb2_grpc.VendorServiceStub(channel)

        for row in subprocessors(subprocessor_pb2_grpc.SubprocessorServiceStub(channel), arguments.organization):
            print(f"{row.name}: {row.display_name}")

        vendor = create_once(vendors)
        print(f"created {vendor.name} in revision {vendor.revision}")

        # The etag: deleted only if nobody has changed it since we read it.
        delete = vendor_pb2.DeleteVendorRequest(name=vendor.name, etag=vendor.etag, request_id=str(uuid.uuid4()))
        vendors.DeleteVendor(delete, timeout=DEADLINE)
        print(f"deleted {vendor.name}")

        try:
            bad = vendor_pb2.Vendor(website_uri="mail")
            vendors.CreateVendor(vendor_pb2.CreateVendorRequest(vendor_id="Not An Id", vendor=bad), timeout=DEADLINE)
        except grpc.RpcError as error:
            print(*explain(error), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        raise SystemExit("\n".join(explain(error))) from None
