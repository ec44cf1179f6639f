import { Ajv } from 'ajv';

const text = { type: 'string' };
const reference = { type: 'object', required: ['$ref'], properties: { $ref: text }, additionalProperties: false };
const tags = {
  type: 'array',
  uniqueItems: true,
  items: { type: 'object', required: ['name'], properties: { name: text } },
};

/** The schema of an object without unknown fields, except extensions. */
const closed = (required: string[], properties: object) => ({
  type: 'object',
  required,
  properties,
  patternProperties: { '^x-[\\w\\d.\\-_]+$': {} },
  additionalProperties: false,
});
const mapOf = (additionalProperties: object) => ({ type: 'object', additionalProperties });
const component = (form: object) => ({ ...mapOf(form), propertyNames: { pattern: '^[\\w\\d.\\-_]+$' } });
const descriptive = { title: text, summary: text, description: text, tags };

/** The rules of AsyncAPI 3.0.0 for the parts that we write. */
const FORM = closed(['asyncapi', 'info'], {
  asyncapi: { const: '3.0.0' },
  info: closed(['title', 'version'], { title: text, version: text, description: text }),
  defaultContentType: text,
  channels: mapOf(
    closed([], { ...descriptive, address: { type: ['string', 'null'] }, messages: component(reference) }),
  ),
  operations: mapOf(
    closed(['action', 'channel'], {
      ...descriptive,
      action: { enum: ['send', 'receive'] },
      channel: reference,
      messages: { type: 'array', items: reference },
    }),
  ),
  components: closed([], {
    messages: component(
      closed([], {
        ...descriptive,
        name: text,
        contentType: text,
        payload: { $ref: 'http://json-schema.org/draft-07/schema#' },
      }),
    ),
    schemas: component({ $ref: 'http://json-schema.org/draft-07/schema#' }),
  }),
});

interface Operation {
  channel: { $ref: string };
  messages?: { $ref: string }[];
}

/** Returns the violations of AsyncAPI 3.0: form errors, dangling references, and messages missing in their channel. */
export function asyncApiProblems(document: object): string[] {
  const validate = new Ajv({ allErrors: true, strict: false }).compile(FORM);
  const form = validate(document) ? [] : validate.errors!.map((error) => `${error.instancePath} ${error.message}`);
  const { operations = {} } = document as { operations?: Record<string, Operation> };
  const strays = Object.entries(operations).flatMap(([key, { channel, messages = [] }]) =>
    messages.filter(({ $ref }) => !$ref.startsWith(`${channel.$ref}/messages/`)).map(({ $ref }) => `${key}: ${$ref}`),
  );
  return [...form, ...strays, ...referencesIn(document).filter((one) => !isResolvable(document, one))];
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(referencesIn)];
}

function isResolvable(document: unknown, reference: string): boolean {
  if (!reference.startsWith('#/')) return false;
  let at = document;
  for (const part of reference.slice(2).split('/')) {
    if (typeof at !== 'object' || at === null) return false;
    at = (at as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return at !== undefined;
}

/** Returns a function that validates messages against a document, as tools do. */
export function messageCheck(document: object, key: string): (message: unknown) => string[] {
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
  ajv.addSchema(document, 'document');
  const validate = ajv.compile({ $ref: `document#/components/messages/${key}/payload` });
  return (message) =>
    validate(message) ? [] : validate.errors!.map((error) => `${error.instancePath} ${error.message}`);
}
