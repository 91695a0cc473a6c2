// The page and the registry under one origin, to try it out: node serve.mjs [http://127.0.0.1:50051] [8080]
// In production the proxy that you have does this; README.md says how.

import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";

const [registry = "http://127.0.0.1:50051", port = "8080"] = process.argv.slice(2);
const files = new Map([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/main.js", ["dist/main.js", "text/javascript; charset=utf-8"]],
]);

async function file([path, type], answer) {
  const content = await readFile(new URL(path, import.meta.url));
  answer.writeHead(200, { "content-type": type }).end(content);
}

function forward(asked, answer) {
  // Who is calling is for a proxy to say, never for a page.
  const { "x-principal": _, ...headers } = asked.headers;
  const call = request(new URL(asked.url, registry), { method: asked.method, headers }, (reply) => {
    answer.writeHead(reply.statusCode, reply.headers);
    reply.pipe(answer); // as it comes: a stream has no end to wait for
  });
  call.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
  answer.on("close", () => call.destroy());
  asked.pipe(call);
}

const server = createServer((asked, answer) => {
  if (files.has(asked.url)) return file(files.get(asked.url), answer);
  if (asked.url.startsWith("/subprocessor.registry.v1.")) return forward(asked, answer);
  answer.writeHead(404).end();
});
server.listen(Number(port), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
