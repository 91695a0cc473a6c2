// What every program that calls the registry wants once: a transport that retries what is safe, and readable errors.

import { readFileSync } from "node:fs";

import { ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { codeName, retries, type ServiceConfig } from "./retries.js";

// Published with the contract: which methods are sent again, and when.
const serviceConfig = JSON.parse(
  readFileSync(new URL("../../../../proto/service_config.json", import.meta.url), "utf8"),
) as ServiceConfig;

/** A transport to the registry, e.g. at `http://127.0.0.1:50051`; elsewhere than on this machine use `https`. */
export function connect(baseUrl: string): Transport {
  return createGrpcTransport({
    baseUrl,
    interceptors: [retries(serviceConfig)],
    // Without a limit a call to a server that hangs never ends. A stream is given its own.
    defaultTimeoutMs: 10_000,
    // A connection that died without a word is found out by pings. A stream can be silent for long.
    pingIntervalMs: 30_000,
    pingTimeoutMs: 10_000,
  });
}

/** An error as lines for people. Programs look at the code and the reason, never at the message. */
export function explain(reason: unknown): string {
  const error = ConnectError.from(reason);
  const [info] = error.findDetails(ErrorInfoSchema);
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return [
    `${codeName(error.code)} ${info?.reason ?? ""}: ${error.rawMessage}`,
    ...violations.map(({ field, description }) => `  ${field}: ${description}`),
  ].join("\n");
}
