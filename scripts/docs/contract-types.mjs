import { z } from 'zod';
import { NAMES } from '../../dist/contract/schemas/names.js';
import { USER_JSON } from '../../dist/contract/schemas/user-json.js';

/** Returns a comment for a text, or an empty string. */
export function docComment(text, indent = '') {
  if (!text) return '';
  const lines = text
    .replaceAll('*/', '* /')
    .split('\n')
    .flatMap((line) => wrapped(line, 115 - indent.length));
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}

function wrapped(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    if (lines[last] !== '' && lines[last].length + 1 + word.length > width) lines.push(word);
    else lines[last] += (lines[last] === '' ? '' : ' ') + word;
  }
  return lines;
}

/** Writes schemas as TypeScript. Schemas with a name become interfaces or types, and are referred to by their names. */
export class TypeWriter {
  /** The declarations, by name. */
  #declared = new Map();

  /** Returns the declarations of all schemas that were written, in alphabetical order. */
  declarations() {
    return [...this.#declared].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  }

  /** Returns the type of a schema. `io`: `input` for what callers send, `output` for what they receive. */
  typeOf(schema, io) {
    const name = NAMES.get(schema)?.id;
    return name === undefined ? this.#text(schema, io) : this.#named(name, schema, io);
  }

  #named(name, schema, io) {
    const text = this.#text(schema, io);
    const doc = docComment(schema.description);
    const declared = `${doc}export ${schema instanceof z.ZodObject ? `interface ${name} ` : `type ${name} = `}${text}${schema instanceof z.ZodObject ? '' : ';'}\n`;
    const before = this.#declared.get(name);
    if (before !== undefined && before !== declared) {
      throw new Error(
        `the schema ${name} has other types in requests than in responses; give one of them another name`,
      );
    }
    this.#declared.set(name, declared);
    return name;
  }

  /** Returns the fields of an object, without its braces. */
  fieldsOf(schema, io, without = []) {
    return Object.entries(schema.shape)
      .filter(([name]) => !without.includes(name))
      .map(([name, field]) => {
        const optional = isOptional(field) || (io === 'input' && field instanceof z.ZodDefault);
        const type = this.typeOf(optional ? stripped(field) : field, io);
        const key = /^[a-z_]\w*$/i.test(name) ? name : `'${name}'`;
        const mark = optional ? '?' : '';
        const or = optional && type !== 'unknown' ? ' | undefined' : '';
        return `${docComment(describing(field), '  ')}  ${key}${mark}: ${type}${or};\n`;
      })
      .join('');
  }

  #text(schema, io) {
    const kind = USER_JSON.get(schema);
    if (kind && !(schema instanceof z.ZodObject)) {
      return schema instanceof z.ZodUnknown ? 'unknown' : 'Record<string, unknown>';
    }
    switch (schema.def.type) {
      case 'string': {
        // Servers may know more states than this client.
        const { enum: known } = schema.meta() ?? {};
        return known && io === 'output' ? `${known.map((one) => `'${one}'`).join(' | ')} | (string & {})` : 'string';
      }
      case 'number':
        return 'number';
      case 'boolean':
        return 'boolean';
      case 'null':
        return 'null';
      case 'enum':
        if (io === 'input' && schema.options.join() === 'true,false') return 'boolean';
        return schema.options.map((one) => `'${one}'`).join(' | ');
      case 'literal':
        return [...schema.values].map((one) => (typeof one === 'string' ? `'${one}'` : String(one))).join(' | ');
      case 'array': {
        const item = this.typeOf(schema.element, io);
        return `${io === 'input' ? 'readonly ' : ''}${item.includes(' | ') ? `(${item})` : item}[]`;
      }
      case 'record':
        return `Record<string, ${this.typeOf(schema.valueType, io)}>`;
      case 'object':
        return `{\n${this.fieldsOf(schema, io)}}`;
      case 'union':
        return [...new Set(schema.options.map((one) => this.typeOf(one, io)))].join(' | ');
      case 'nullable':
        return `${this.typeOf(schema.unwrap(), io)} | null`;
      case 'optional':
        return `${this.typeOf(schema.unwrap(), io)} | undefined`;
      case 'default':
      case 'readonly':
        return this.typeOf(schema.unwrap(), io);
      case 'pipe':
        return inQuery(schema);
      default:
        throw new Error(`scripts/docs/contract-types.mjs cannot write schemas of the type ${schema.def.type}`);
    }
  }
}

/** Returns the type that callers pass for a parameter whose text the server converts. */
function inQuery(schema) {
  const { type, contentMediaType } = schema.meta() ?? {};
  if (contentMediaType === 'application/json') return 'string | Readonly<Record<string, unknown>>';
  return { boolean: 'boolean', array: 'string | readonly string[]', string: 'string' }[type] ?? 'string';
}

const isOptional = (schema) => schema instanceof z.ZodOptional;
const stripped = (schema) =>
  isOptional(schema) || schema instanceof z.ZodDefault ? stripped(schema.unwrap()) : schema;

/** Returns the description of a field, which a wrapper or the schema in it may have. */
function describing(schema) {
  if (NAMES.has(schema)) return undefined;
  const { description } = schema.meta() ?? {};
  const withDefault =
    schema instanceof z.ZodDefault ? `Default ${JSON.stringify(schema.def.defaultValue)}.` : undefined;
  const inner = description ?? (typeof schema.unwrap === 'function' ? describing(schema.unwrap()) : undefined);
  return [inner, withDefault].filter(Boolean).join(' ') || undefined;
}

/** Returns the name of the field with the items of a page. Undefined for responses that are not pages. */
export function itemsOf({ gives, takes = {} }) {
  if (!(gives instanceof z.ZodObject) || !takes.query?.shape?.cursor) return undefined;
  const lists = Object.entries(gives.shape).filter(([, field]) => field instanceof z.ZodArray);
  return 'next_cursor' in gives.shape && lists.length === 1 ? lists[0][0] : undefined;
}

/** Returns the type of an item of a page. */
export function itemType(writer, { gives }, items) {
  return writer.typeOf(gives.shape[items].element, 'output');
}
