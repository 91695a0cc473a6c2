// gRPC's service config, as far as Connect leaves it to us: retries, and when they are too many (gRFC A6).

import { setTimeout as delay } from "node:timers/promises";

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

export interface ServiceConfig {
  retryThrottling: { maxTokens: number; tokenRatio: number };
  methodConfig: { name: { service: string; method: string }[]; retryPolicy: RetryPolicy }[];
}

interface RetryPolicy {
  maxAttempts: number;
  initialBackoff: string; // "0.2s"
  maxBackoff: string;
  backoffMultiplier: number;
  retryableStatusCodes: string[]; // ["UNAVAILABLE"]
}

/**
 * Sends unary calls again as the config says. Streams are not: what has arrived of one is not asked for again, so that
 * only who reads it can resume it (see watch.ts).
 */
export function retries(config: ServiceConfig): Interceptor {
  const policies = new Map(
    config.methodConfig.flatMap(({ name, retryPolicy }) =>
      name.map(({ service, method }) => [`${service}/${method}`, retryPolicy] as const),
    ),
  );
  const { maxTokens, tokenRatio } = config.retryThrottling;
  let tokens = maxTokens; // below half, nothing is retried: a server in trouble is not given more of it

  return (next) => async (request) => {
    const policy = policies.get(`${request.service.typeName}/${request.method.name}`);
    if (request.stream || !policy) return next(request);

    for (let attempt = 1; ; attempt++) {
      try {
        const response = await next(request);
        tokens = Math.min(maxTokens, tokens + tokenRatio);
        return response;
      } catch (reason) {
        const error = ConnectError.from(reason);
        if (request.signal.aborted || !isRetryable(error, policy)) throw error;
        tokens = Math.max(0, tokens - 1);
        if (attempt >= policy.maxAttempts || tokens <= maxTokens / 2) throw error;
        // Ends with the call's own deadline.
        await delay(backoff(policy, attempt), undefined, { signal: request.signal }).catch(() => {
          throw error;
        });
      }
    }
  };
}

function isRetryable(error: ConnectError, policy: RetryPolicy): boolean {
  return policy.retryableStatusCodes.includes(codeName(isBroken(error) ? Code.Unavailable : error.code));
}

/**
 * Whether the connection broke. Connect on Node.js says CANCELED or ABORTED then, where gRPC says UNAVAILABLE. What the
 * registry itself says has details, e.g. its ABORTED for a stale etag; what the caller cancelled is not asked about here.
 */
export function isBroken(error: ConnectError): boolean {
  return (error.code === Code.Canceled || error.code === Code.Aborted) && error.details.length === 0;
}

/** A code as gRPC writes it: `DEADLINE_EXCEEDED`. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

/** In milliseconds, a fifth more or less, so that the callers of a server that stopped do not all come back at once. */
function backoff(policy: RetryPolicy, attempt: number): number {
  const seconds = Math.min(
    parseFloat(policy.initialBackoff) * policy.backoffMultiplier ** (attempt - 1),
    parseFloat(policy.maxBackoff),
  );
  return seconds * 1000 * (0.8 + 0.4 * Math.random());
}
