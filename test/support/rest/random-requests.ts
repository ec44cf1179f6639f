import type { Json } from './served-api.ts';

/** A request of the fuzz test. */
export interface RandomRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Json }[];
  /** The schema of the body, by content type. */
  bodies: [string, Json][];
}

/** Returns numbers from 0 to 1 that depend only on the seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * Strings that have a meaning in SQL, JSON paths, headers, log lines, paths, formats or prototypes, or that are hard to
 * store.
 */
const NASTY = [
  "'; drop table canary; --",
  "' or '1'='1",
  '"; delete from canary; --',
  '$1) returning *; --',
  '$.a ? (@ > 1)',
  '{a,b}',
  '{"$ne": null}',
  'x\r\nset-cookie: injected=1',
  'x\n{"level":"fatal","msg":"injected"}',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\u202egnp.exe',
  '\u2028',
  '../../etc/passwd',
  '%00',
  '%s%n%d',
  `$\{jndi:ldap://127.0.0.1/a}`,
  '__proto__',
  'constructor',
  'toString',
  '<script>alert(1)</script>',
  '',
  ' ',
  '٣',
  '𝒳'.repeat(70),
  'x'.repeat(20_000),
  '9'.repeat(400),
  '-1',
  '0',
  '1e309',
  'NaN',
  'null',
  'true',
  '2h',
  '-2h',
  '2026-01-01T00:00:00Z',
  '0000-00-00',
  '+275760-09-13T00:00:00.001Z',
  'P1Y',
  '*/0 * * * *',
  'test/demo@1.0.0',
  'a/b/c@d@e',
  '019b0000-0000-7000-8000-000000000000',
  '019B0000-0000-7000-8000-00000000000G',
] as const;
const NUMBERS = [0, -0, 1, -1, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 53, 1e21] as const;

/** Creates requests for all routes of an OpenAPI document. `known`: names and ids that exist, by parameter. */
export class RandomRequests {
  readonly #operations: Operation[];
  readonly #schemas: Record<string, Json>;
  readonly #known: Record<string, readonly string[]>;

  constructor(document: object, known: Record<string, readonly string[]>) {
    const { paths, components } = document as {
      paths: Record<string, Record<string, Json>>;
      components: { schemas: Record<string, Json> };
    };
    this.#schemas = components.schemas;
    this.#known = known;
    this.#operations = Object.entries(paths).flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([method, operation]) => {
        const content = (operation.requestBody as { content?: Record<string, { schema: Json }> } | undefined)?.content;
        return {
          method: method.toUpperCase(),
          path,
          parameters: (operation.parameters as Operation['parameters'] | undefined) ?? [],
          bodies: Object.entries(content ?? {}).map(([type, { schema }]) => [type, schema] as [string, Json]),
        };
      }),
    );
  }

  /** Number of routes. */
  get size(): number {
    return this.#operations.length;
  }

  /** Creates request number `at` of a seed. Consecutive numbers cover all routes. */
  create(seed: number, at: number): RandomRequest {
    const random = randomOf(seed * 1_000_003 + at);
    const operation = this.#operations[at % this.#operations.length]!;
    const strange = random() < 0.4;
    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    let { path } = operation;
    for (const { name, in: place, schema } of operation.parameters) {
      const text = () => this.#text(random, name, schema, strange);
      if (place === 'path') path = path.replace(`{${name}}`, () => encoded(text()));
      else if (random() < 0.5) {
        if (place === 'query') query.append(name, text());
        else headers[name] = encoded(text()).slice(0, 2000);
      }
    }
    if (strange && random() < 0.05)
      path += pick(random, ['/', '//', '/%', '/%zz', '/%00', ';', '?a[b]=c&a=d', '/..%2f']);
    if (strange && random() < 0.1) query.append(pick(random, NASTY), pick(random, NASTY));
    const search = query.size > 0 ? `${path.includes('?') ? '&' : '?'}${query}` : '';
    const { method } = operation;
    return { method, path: path + search, headers, body: this.#body(random, operation, headers, strange) };
  }

  #body(random: () => number, { method, bodies }: Operation, headers: Record<string, string>, strange: boolean) {
    if (method === 'GET' || bodies.length === 0 || random() < 0.05) return undefined;
    const [type, schema] = pick(random, bodies);
    headers['content-type'] =
      strange && random() < 0.1 ? pick(random, ['text/plain', 'application/xml', 'x', '*/*']) : type;
    const value = () => this.#value(random, schema, { strange, depth: 0, name: '' });
    let text = JSON.stringify(value());
    if (type.includes('ndjson'))
      text = [value(), this.#value(random, this.#schemas.TaskRequest!, { strange, depth: 0, name: '' })]
        .map((one) => JSON.stringify(one))
        .join('\n');
    if (!strange || random() < 0.8) return text;
    const cut = Math.floor(random() * text.length);
    return pick(random, [
      text.slice(0, cut),
      text.slice(0, cut) + pick(random, NASTY) + text.slice(cut),
      `${text}${text}`,
      '['.repeat(20_000),
      `{"__proto__":{"polluted":1},${text.slice(1)}`,
      '{"a":1e999999}',
      '\ufeff{}',
      'null',
      '""',
    ]);
  }

  #text(random: () => number, name: string, schema: Json, strange: boolean): string {
    if (strange && random() < 0.5) return pick(random, NASTY);
    const known = this.#known[name];
    if (known && random() < 0.8) return pick(random, known);
    const value = this.#value(random, schema, { strange, depth: 3, name });
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }

  #value(random: () => number, given: Json, at: { strange: boolean; depth: number; name: string }): unknown {
    const schema = this.#resolved(given);
    const { strange, depth, name } = at;
    if (strange && random() < 0.15) return this.#anything(random, depth);
    const known = this.#known[name];
    if (known && random() < 0.8) return pick(random, known);
    const choices = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
    if (choices) return this.#value(random, pick(random, choices), at);
    if ('const' in schema) return schema.const;
    if (Array.isArray(schema.enum)) return pick(random, schema.enum);
    const type = Array.isArray(schema.type) ? pick(random, schema.type as string[]) : schema.type;
    switch (type) {
      case 'object':
        return this.#object(random, schema, at);
      case 'array': {
        const length = Math.floor(random() * 3);
        const items = (schema.items ?? {}) as Json;
        return Array.from({ length }, () => this.#value(random, items, { ...at, depth: depth + 1 }));
      }
      case 'integer':
        return strange && random() < 0.3
          ? pick(random, NUMBERS)
          : Math.floor(random() * 20) + ((schema.minimum as number) ?? 0);
      case 'number':
        return pick(random, NUMBERS);
      case 'boolean':
        return random() < 0.5;
      case 'null':
        return null;
      case 'string':
        return pick(random, strange ? NASTY : ['a', 'demo', 'ann', '2h', '2026-01-01T00:00:00Z', 'test/demo@1.0.0']);
      default:
        return this.#anything(random, depth);
    }
  }

  #object(random: () => number, schema: Json, { strange, depth }: { strange: boolean; depth: number }): Json {
    const value: Json = {};
    const required = new Set((schema.required as string[] | undefined) ?? []);
    for (const [key, property] of Object.entries((schema.properties as Record<string, Json> | undefined) ?? {})) {
      const left = required.has(key) ? strange && random() < 0.05 : random() < 0.6;
      if (!left) value[key] = this.#value(random, property, { strange, depth: depth + 1, name: key });
    }
    if (schema.additionalProperties !== false || (strange && random() < 0.1)) {
      const key = strange ? pick(random, NASTY) : pick(random, ['namespace', 'lucky', 'open']);
      // `value[key]` would set the prototype.
      if (random() < 0.5)
        Object.defineProperty(value, key, {
          value: this.#anything(random, depth + 1),
          enumerable: true,
          configurable: true,
        });
    }
    return value;
  }

  #anything(random: () => number, depth: number): unknown {
    const kind = Math.floor(random() * (depth > 4 ? 4 : 6));
    if (kind === 0) return pick(random, NASTY);
    if (kind === 1) return pick(random, NUMBERS);
    if (kind === 2) return random() < 0.5;
    if (kind === 3) return null;
    if (kind === 4) return [this.#anything(random, depth + 1), this.#anything(random, depth + 1)];
    return { [pick(random, NASTY)]: this.#anything(random, depth + 1) };
  }

  #resolved(schema: Json): Json {
    const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1)! : undefined;
    return name === undefined ? schema : this.#schemas[name]!;
  }
}

export function pick<T>(random: () => number, among: readonly T[]): T {
  return among[Math.floor(random() * among.length)]!;
}

/** Encodes a text for a path or a header. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
