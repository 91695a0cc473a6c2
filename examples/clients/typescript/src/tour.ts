// Reads a list page by page, writes once however often it is sent, and reads a refusal field by field.
//
//   npm start -- organizations/crescendo [http://127.0.0.1:50051]

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { equals } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";

import { SubprocessorService } from "./gen/subprocessor/registry/v1/subprocessor_pb.js";
import { type Vendor, VendorSchema, VendorService } from "./gen/subprocessor/registry/v1/vendor_pb.js";
import { connect, explain } from "./registry.js";

/** Every row of an organization's list. All pages come from one revision, whatever is written meanwhile. */
async function* subprocessors(client: Client<typeof SubprocessorService>, parent: string) {
  let pageToken = "";
  do {
    // Small, so that there are several pages. Absent it is 50; 1,000 is the most.
    const page = await client.listSubprocessors({ parent, pageSize: 2, pageToken });
    yield* page.subprocessors;
    pageToken = page.nextPageToken;
  } while (pageToken);
}

/** Creates a vendor. The request id makes it safe to send again: by us, or by the transport's own retries. */
async function createOnce(client: Client<typeof VendorService>): Promise<Vendor> {
  const request = {
    vendorId: `example-${randomUUID().slice(0, 8)}`,
    vendor: { displayName: "Example Mail", websiteUri: "https://mail.example" },
    // Chosen once for one intention, before the first try. Kept with the intention, it outlives a crash of ours.
    requestId: randomUUID(),
  };
  const vendor = await client.createVendor(request);
  const again = await client.createVendor(request);
  assert(equals(VendorSchema, again, vendor), "the first answer, and nothing written");
  return vendor;
}

async function main(organization: string, baseUrl = "http://127.0.0.1:50051") {
  const transport = connect(baseUrl);
  const vendors = createClient(VendorService, transport);

  for await (const row of subprocessors(createClient(SubprocessorService, transport), organization)) {
    console.log(`${row.name}: ${row.displayName}`);
  }

  const vendor = await createOnce(vendors);
  console.log(`created ${vendor.name} in revision ${vendor.revision}`);

  // The etag: deleted only if nobody has changed it since we read it.
  await vendors.deleteVendor({ name: vendor.name, etag: vendor.etag, requestId: randomUUID() });
  console.log(`deleted ${vendor.name}`);

  try {
    await vendors.createVendor({ vendorId: "Not An Id", vendor: { websiteUri: "mail" }, requestId: randomUUID() });
  } catch (error) {
    console.log(explain(error));
  }
}

const [organization, baseUrl] = process.argv.slice(2);
if (!organization) throw new Error("which organization? organizations/{organization}");
try {
  await main(organization, baseUrl);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
