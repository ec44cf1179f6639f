import { z } from 'zod';
import { NAMES } from '../../dist/contract/schemas/names.js';
import { shapeOf } from '../../dist/contract/shape-of.js';
import { partsOf } from '../../dist/contract/walk.js';

const HEAD = `// Written by scripts/write-verbs.mjs from src/contract. Do not edit it; run \`npm run reference\`.
import type { Shape } from './codec.ts';

`;

/**
 * Returns the source of the shapes of all responses, as plain data: the command line converts responses without loading
 * the schemas, which takes a tenth of a second. `others`: schemas of responses that have no verb, by noun and name.
 */
export function shapesModule(contract, others) {
  const declared = new Map();
  const nouns = Object.entries(contract).map(([noun, verbs]) => {
    const gives = {
      ...Object.fromEntries(Object.entries(verbs).map(([name, verb]) => [name, verb.gives])),
      ...others[noun],
    };
    const lines = Object.entries(gives)
      .map(([name, schema]) => [name, textOf(schema, declared)])
      .filter(([, text]) => text !== '0')
      .map(([name, text]) => `${name}: ${text},\n`);
    return `${noun}: {\n${lines.join('')}},\n`;
  });
  return [
    HEAD,
    [...declared].map(([name, text]) => `const ${name} = ${text} satisfies Shape;\n`).join(''),
    '\n/** The shapes of the responses, by noun and verb. Other responses are the same in both forms. */\n',
    `export const SHAPES: Readonly<Record<string, Readonly<Record<string, Shape>>>> = {\n${nouns.join('')}};\n`,
  ].join('');
}

/** Returns a shape as source. Schemas with a name become constants. */
function textOf(schema, declared) {
  const shape = shapeOf(schema);
  if (typeof shape !== 'object') return JSON.stringify(shape).replaceAll('"', "'");
  const name = NAMES.get(schema)?.id;
  if (name === undefined) return partsText(schema, shape, declared);
  // A name is declared after the names that it refers to.
  if (!declared.has(name)) declared.set(name, partsText(schema, shape, declared));
  return name;
}

function partsText(schema, shape, declared) {
  const parts = partsOf(schema).filter((part) => shapeOf(part.schema) !== 0);
  const texts = parts.map((part) => textOf(part.schema, declared));
  if (schema instanceof z.ZodArray) return `{ list: ${texts[0]} }`;
  if (schema instanceof z.ZodRecord) return `{ map: ${texts[0]} }`;
  if (!(schema instanceof z.ZodObject)) return texts[0];
  const named = parts.map(({ at }, i) => (at === texts[i] ? at : `${at}: ${texts[i]}`)).join(', ');
  return `{ fields: '${shape.fields}'${named && `, parts: { ${named} }`}${shape.sameNames ? ', sameNames: true' : ''} }`;
}
