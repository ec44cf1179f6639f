import type { OpenAPIHono } from '@hono/zod-openapi';
import { Ajv2020 } from 'ajv/dist/2020.js';

type Schema = Record<string, unknown>;
/** A documented response. */
interface DocumentedResponse {
  description: string;
  content?: Record<string, { schema: Schema }>;
}
/** A documented operation. */
export interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: 'query' | 'path' | 'header'; required?: boolean; schema: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, DocumentedResponse>;
}
/** The part of an OpenAPI document that tests read. */
export interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

/** Reads the document that an app serves. */
export async function documentOf(app: OpenAPIHono): Promise<Document> {
  return (await (await app.request('http://localhost/api-docs/openapi.json')).json()) as Document;
}

/** Compares responses with a document. Throws an error that names the difference. */
export class Contract {
  readonly document: Document;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  readonly #routes: { method: string; path: string; pattern: RegExp; operation: Operation }[];

  constructor(document: Document) {
    this.document = document;
    this.#ajv.addSchema({ $id: 'document', components: document.components ?? {} });
    this.#routes = Object.entries(document.paths)
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({ method, path, pattern: patternOf(path), operation })),
      )
      // Paths without parameters first, because the app prefers them too.
      .sort((one, other) => one.path.split('{').length - other.path.split('{').length);
  }

  /** Returns the documented operation of a request. */
  find(method: string, path: string): { path: string; operation: Operation } | undefined {
    return this.#routes.find((route) => route.method === method.toLowerCase() && route.pattern.test(path));
  }

  /** Checks a response. `text`: its body. */
  check({ method, path, response, text }: { method: string; path: string; response: Response; text: string }): void {
    const place = `${method} ${path}`;
    const route = this.find(method, path);
    if (!route) {
      if (path.startsWith('/v1/') && response.status !== 404) throw new Error(`${place} is not in the document`);
      return;
    }
    const documented = route.operation.responses[response.status];
    if (!documented)
      throw new Error(`${place} answered ${response.status}, which is not documented: ${text.slice(0, 500)}`);
    if (response.status === 304) return;
    const type = (response.headers.get('content-type') ?? '').split(';')[0]!;
    const form = documented.content?.[type];
    if (!form) throw new Error(`${place} answered ${response.status} as ${type}, which is not documented`);
    if (type !== 'application/json') return;
    const value: unknown = JSON.parse(text);
    const problems = [...this.#violations(form.schema, value), ...this.#extras(form.schema, value, '')];
    if (problems.length > 0) {
      throw new Error(
        `${place}: the answer ${response.status} differs from its schema:\n${problems.slice(0, 10).join('\n')}`,
      );
    }
  }

  #violations(schema: Schema, value: unknown): string[] {
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
    const validate = this.#ajv.compile(JSON.parse(text) as Schema);
    validate(value);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  }

  /** Returns the fields that the schema does not name, although it names others. */
  #extras(given: Schema, value: unknown, at: string): string[] {
    const schema = this.#resolved(given);
    const choices = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
    if (choices) {
      const found = choices.filter((choice) => this.#violations(choice, value).length === 0);
      const extras = found.map((choice) => this.#extras(choice, value, at));
      return extras.find((none) => none.length === 0) ?? extras[0] ?? [];
    }
    if (Array.isArray(value)) {
      const items = schema['items'] as Schema | undefined;
      return items ? value.flatMap((item, index) => this.#extras(items, item, `${at}/${index}`)) : [];
    }
    if (typeof value !== 'object' || value === null) return [];
    const { properties, isOpen } = this.#propertiesOf(schema);
    return Object.entries(value).flatMap(([key, one]) => {
      const known = properties[key];
      if (known) return this.#extras(known, one, `${at}/${key}`);
      return isOpen ? [] : [`${at}/${key} is not documented`];
    });
  }

  #propertiesOf(schema: Schema): { properties: Record<string, Schema>; isOpen: boolean } {
    const parts = ((schema['allOf'] ?? []) as Schema[]).map((part) => this.#propertiesOf(this.#resolved(part)));
    const own = schema['properties'] as Record<string, Schema> | undefined;
    const properties = Object.assign({}, ...parts.map((part) => part.properties), own) as Record<string, Schema>;
    const isOpen = schema['additionalProperties'] !== undefined || Object.keys(properties).length === 0;
    return { properties, isOpen };
  }

  #resolved(schema: Schema): Schema {
    const name = /^#\/components\/schemas\/(.+)$/.exec(String(schema['$ref'] ?? ''))?.[1];
    return name === undefined ? schema : this.document.components!.schemas![name]!;
  }
}

function patternOf(path: string): RegExp {
  const parts = path.split(/\{[^}]+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('[^/]+')}$`);
}

/** The response to a request. */
interface Answer<Body> {
  status: number;
  headers: Headers;
  /** The parsed JSON, or the text of other content types. */
  body: Body;
}

/** Returns the body of a response. For a stream, which does not end on its own, returns only the first event. */
async function textOf(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response.text();
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}

/** Returns a function that sends requests to an app, and compares each response with the app's document. */
export function asking(app: OpenAPIHono) {
  let contract: Promise<Contract> | undefined;
  return async <Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> => {
    contract ??= documentOf(app).then((document) => new Contract(document));
    const url = path.startsWith('http') ? path : `http://localhost${path}`;
    const response = await app.request(url, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await textOf(response);
    (await contract).check({ method, path: new URL(url).pathname, response, text });
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  };
}
