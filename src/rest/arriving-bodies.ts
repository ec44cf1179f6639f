import type { IncomingMessage } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { TaskerError } from '../errors.ts';
import { callerOf, STRANGER } from './caller.ts';

/** The limits on bodies that are still arriving. */
export interface ArrivalLimits {
  /** Maximum number of bytes of one body. */
  largest: number;
  /** How long a body may take to arrive, in milliseconds. */
  deadlineMs: number;
  /** After this time, a body must have arrived at the minimum rate. In milliseconds. */
  graceMs: number;
  /** The minimum rate, measured since the head of the request. */
  bytesPerSecond: number;
  /** Maximum number of bytes that incomplete bodies occupy together. */
  mostBytes: number;
}

const LIMITS: ArrivalLimits = {
  // A context of 1 MB, with room for escapes and the other fields.
  largest: 4 * 1024 * 1024,
  deadlineMs: 120_000,
  graceMs: 5_000,
  bytesPerSecond: 1_024,
  mostBytes: 256 * 1024 * 1024,
};
/** The part of `mostBytes` that callers without a credential may use. */
const SHARE_OF_STRANGERS = 4;
/** How often the rate of a body is checked, at most. */
const CHECK_MS = 1_000;

/** The request of Node. The adapter of Hono reads the body from `rawBody`, if it is there. */
type Incoming = IncomingMessage & { rawBody?: Buffer };

/**
 * Waits until the body of a request is there, so that the handlers after it only run for whole requests. Rejects bodies
 * that are too large, and bodies that arrive too slowly (408), which would otherwise occupy the server indefinitely.
 * Runs after authentication, so that callers without a credential cannot send bodies to routes that need one.
 */
export function arrivedBodies(given: Partial<ArrivalLimits> = {}): MiddlewareHandler {
  const limits = { ...LIMITS, ...given };
  const room = { known: limits.mostBytes, strangers: limits.mostBytes / SHARE_OF_STRANGERS };
  const tooLarge = (): never => {
    throw new HTTPException(413, { message: `the body is larger than ${limits.largest / 1024 / 1024} MB` });
  };
  const limitUnknown = bodyLimit({ maxSize: limits.largest, onError: tooLarge });
  return async (c, next) => {
    const length = c.req.header('content-length');
    if (length !== undefined && Number(length) > limits.largest) tooLarge();
    const incoming = incomingOf(c);
    if (incoming && !incoming.complete) {
      const who = callerOf(c) === STRANGER ? 'strangers' : 'known';
      const arrival = new Arrival(incoming, limits, (bytes) => {
        room[who] -= bytes;
        return room[who] >= 0;
      });
      incoming.rawBody = (await arrival.body()) ?? tooLarge();
      return next();
    }
    // The middleware of Hono reads the body of every request as a web stream, which takes a quarter of all memory.
    return length === undefined || c.req.header('transfer-encoding') !== undefined ? limitUnknown(c, next) : next();
  };
}

/** Returns the request of Node, if its method has a body. Undefined for a request of this process without a socket. */
function incomingOf(c: Context): Incoming | undefined {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return undefined;
  return ((c.env ?? {}) as { incoming?: Incoming }).incoming;
}

/** One body that is still arriving. */
class Arrival {
  readonly #incoming: Incoming;
  readonly #limits: ArrivalLimits;
  /** Reserves room for bytes, or frees it for a negative number. Returns false if there is too little room. */
  readonly #reserve: (bytes: number) => boolean;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(incoming: Incoming, limits: ArrivalLimits, reserve: (bytes: number) => boolean) {
    this.#incoming = incoming;
    this.#limits = limits;
    this.#reserve = reserve;
  }

  /**
   * Returns the whole body. Undefined if it is too large. @throws TaskerError `bad_request`, `backpressure`;
   * HTTPException 408
   */
  async body(): Promise<Buffer | undefined> {
    const incoming = this.#incoming;
    const since = performance.now();
    let stop: () => void = () => undefined;
    try {
      return await new Promise<Buffer | undefined>((resolve, reject) => {
        const onData = (part: Buffer) => {
          this.#parts.push(part);
          this.#bytes += part.length;
          // All of it is freed at the end, even if there was too little room for the last part.
          const fits = this.#reserve(part.length);
          if (this.#bytes > this.#limits.largest) resolve(undefined);
          else if (!fits) reject(noRoom());
        };
        const onEnd = () => resolve(this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts));
        const onClose = () => reject(cutOff());
        const checking = setInterval(
          () => {
            const why = this.#whyTooSlow(performance.now() - since);
            if (why !== undefined) reject(new HTTPException(408, { message: why }));
          },
          Math.min(CHECK_MS, this.#limits.graceMs, this.#limits.deadlineMs),
        );
        stop = () => {
          clearInterval(checking);
          incoming.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
        };
        incoming.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
        if (incoming.destroyed) onClose();
      });
    } finally {
      stop();
      this.#reserve(-this.#bytes);
    }
  }

  #whyTooSlow(elapsedMs: number): string | undefined {
    const { deadlineMs, graceMs, bytesPerSecond } = this.#limits;
    if (elapsedMs >= deadlineMs) return `the body did not arrive within ${deadlineMs / 1000} seconds`;
    if (elapsedMs < graceMs || this.#bytes >= (bytesPerSecond * elapsedMs) / 1000) return undefined;
    return `the body arrives too slowly: ${this.#bytes} bytes in ${(elapsedMs / 1000).toFixed(1)} seconds; send at least ${bytesPerSecond} bytes a second`;
  }
}

function noRoom(): TaskerError {
  return new TaskerError('backpressure', 'too many large bodies are arriving; try again in a second', {
    details: { retry_after_seconds: 1 },
  });
}

function cutOff(): TaskerError {
  return new TaskerError('bad_request', 'the client closed the connection before its body had arrived');
}
