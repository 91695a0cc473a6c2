// An organization's list in the browser, by gRPC-Web: the same generated code as in Node.js, another transport.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { type Subprocessor, SubprocessorService } from "./gen/subprocessor/registry/v1/subprocessor_pb.js";

// The registry is where the page comes from: see README.md for why, and for what a proxy has to do.
const transport = createGrpcWebTransport({ baseUrl: location.origin, defaultTimeoutMs: 10_000 });
const client = createClient(SubprocessorService, transport);

/** Every row of the list. All pages come from one revision, whatever is written meanwhile. */
async function* subprocessors(parent: string, filter: string): AsyncGenerator<Subprocessor> {
  let pageToken = "";
  do {
    // Small, so that there are several pages. Absent it is 50; 1,000 is the most.
    const page = await client.listSubprocessors({ parent, filter, pageSize: 2, pageToken });
    yield* page.subprocessors;
    pageToken = page.nextPageToken;
  } while (pageToken);
}

/** What was wrong, as lines: the published reason, then every field with its rule. */
function explain(reason: unknown): string[] {
  const error = ConnectError.from(reason);
  const [info] = error.findDetails(ErrorInfoSchema);
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return [
    `${info?.reason ?? Code[error.code]}: ${error.rawMessage}`,
    ...violations.map(({ field, description }) => `${field}: ${description}`),
  ];
}

function element<T extends Element>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/** A line of text: never HTML, because names are what somebody typed. */
function line(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

const form = element<HTMLFormElement>("form");
const status = element("[role=status]");
const rows = element("#rows");
const alert = element("[role=alert]");

async function show() {
  const asked = new FormData(form);
  rows.replaceChildren();
  alert.replaceChildren();
  status.textContent = "…";
  try {
    for await (const row of subprocessors(`organizations/${asked.get("organization")}`, `${asked.get("filter")}`)) {
      rows.append(line("li", row.displayName));
    }
    status.textContent = `${rows.childElementCount} sub-processors`;
  } catch (error) {
    status.textContent = "";
    alert.replaceChildren(...explain(error).map((text) => line("p", text)));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void show();
});
