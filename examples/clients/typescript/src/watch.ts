// Follows what changes, without gap or duplicate, across restarts of the server and of this program.
//
//   npm run watch -- organizations/- watch.json [http://127.0.0.1:50051]

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";

import { Change_Kind, ChangeLogService, type Revision } from "./gen/subprocessor/registry/v1/change_log_pb.js";
import { connect, explain } from "./registry.js";
import { isBroken } from "./retries.js";

/** The number of a revision and its hash. The hash makes the server refuse to go on in another history. */
interface Position {
  number: bigint;
  hash: Uint8Array;
}

// After these the same stream goes on elsewhere or later. Others need a person: DATA_LOSS is a history that was altered,
// OUT_OF_RANGE one that does not reach where we were (a database restored from an old backup).
const resumable = new Set([
  Code.Unavailable, // the server stops, or cannot be reached
  Code.DeadlineExceeded,
  Code.ResourceExhausted, // we read too slowly
]);

/** Yields every revision after `position`, with its own; a checkpoint is a position without a revision. */
async function* follow(
  client: Client<typeof ChangeLogService>,
  parent: string,
  position: Position,
): AsyncGenerator<[Position, Revision?]> {
  for (;;) {
    try {
      const request = { parent, afterRevision: position.number, afterHash: position.hash };
      // 0: no deadline, this stream is meant to stay open.
      for await (const { event } of client.watchChanges(request, { timeoutMs: 0 })) {
        if (event.case === "revision") {
          position = event.value;
          yield [position, event.value];
        } else if (event.case === "checkpoint") {
          position = { number: event.value.revision, hash: event.value.hash };
          yield [position];
        }
      }
    } catch (reason) {
      const error = ConnectError.from(reason);
      if (!resumable.has(error.code) && !isBroken(error)) throw reason;
    }
    // Not at once, and not all watchers of a server that stopped in the same moment.
    await delay(100 + 900 * Math.random());
  }
}

/** Where we were. Revision 0, without a hash, is the beginning. */
function load(state: string): Position {
  if (!existsSync(state)) return { number: 0n, hash: new Uint8Array() };
  const saved = JSON.parse(readFileSync(state, "utf8")) as { revision: string; hash: string };
  return { number: BigInt(saved.revision), hash: Buffer.from(saved.hash, "hex") };
}

/** Whole or not at all: a file cut short would not say where to resume. */
function save(state: string, { number, hash }: Position) {
  const saved = { revision: number.toString(), hash: Buffer.from(hash).toString("hex") };
  writeFileSync(`${state}.new`, JSON.stringify(saved));
  renameSync(`${state}.new`, state);
}

async function main(parent: string, state: string, baseUrl = "http://127.0.0.1:50051") {
  const client = createClient(ChangeLogService, connect(baseUrl));
  for await (const [position, revision] of follow(client, parent, load(state))) {
    for (const change of revision?.changes ?? []) {
      console.log(`${revision?.number} ${Change_Kind[change.kind]} ${change.resourceName}`);
    }
    // After the work is done: killed in between, we do it twice rather than not at all. To do it exactly once, keep the
    // position in the database that the work is written to, in the same transaction.
    save(state, position);
  }
}

const [parent, state, baseUrl] = process.argv.slice(2);
if (!parent || !state) throw new Error("whose changes, and a file that remembers where we were?");
try {
  await main(parent, state, baseUrl);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
