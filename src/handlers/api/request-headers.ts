import { invalidRequest } from '../misuse.ts';
import type { RequestHeaders } from './request-options.ts';

/**
 * The headers of a request. Names are case-insensitive and are sent in the case in which they were last set. `Headers`
 * does not preserve the case, but users' tests compare the names that `fetch` was called with.
 */
export class NamedHeaders {
  readonly #values = new Headers();
  readonly #names = new Map<string, string>();

  has(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): string | null {
    return this.#values.get(name);
  }

  set(name: string, value: string): void {
    this.#values.set(name, value);
    this.#names.set(name.toLowerCase(), name);
  }

  /** Adds a value to the header. */
  append(name: string, value: string): void {
    this.#values.append(name, value);
    this.#names.set(name.toLowerCase(), name);
  }

  delete(name: string): void {
    this.#values.delete(name);
    this.#names.delete(name.toLowerCase());
  }

  /** Sets each of these headers, and returns this object. */
  setAll(others: NamedHeaders): this {
    for (const [name, value] of Object.entries(others.toObject())) this.set(name, value);
    return this;
  }

  /** Returns the headers in the order in which they were first set. */
  toObject(): Record<string, string> {
    return Object.fromEntries([...this.#names.values()].map((name) => [name, this.get(name) ?? '']));
  }
}

/**
 * Returns the given headers. Replaces the platform's error for an invalid header, because that error contains the
 * value, which may be a secret.
 */
export function namedHeaders(given: RequestHeaders | undefined): NamedHeaders {
  const entries =
    given instanceof Headers ? [...given] : Array.isArray(given) ? (given as string[][]) : Object.entries(given ?? {});
  const headers = new NamedHeaders();
  for (const [name, value] of entries) {
    if (value === undefined || value === null) continue;
    try {
      headers.append(name!, value);
    } catch {
      throw invalidRequest(`the header ${name} cannot be sent: its name or value has invalid characters`);
    }
  }
  return headers;
}
