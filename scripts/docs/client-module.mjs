import { z } from 'zod';
import { PreviewSchema } from '../../dist/contract/schemas/bulk-acts.js';
import { DetailedHealthSchema, ReadySchema } from '../../dist/contract/schemas/health.js';
import { SessionSchema } from '../../dist/contract/schemas/keys.js';
import { docComment, itemsOf, itemType, TypeWriter } from './contract-types.mjs';

/** Schemas of routes outside the contract, which the client returns. */
const OTHERS = [ReadySchema, DetailedHealthSchema, SessionSchema, PreviewSchema];

const HEAD = `// Written by scripts/write-verbs.mjs from src/contract. Do not edit it; run \`npm run reference\`.
import type { CallOptions } from './client-options.ts';
import type { Call } from './transport.ts';

`;
const ERRORS = { 404: 'NotFoundError', 409: 'ConflictError' };
/** Names of parameters in the signatures of methods. The others are shortened: `step_uuid` is `step`. */
const SHORT = { uuid: 'task', dlq_entry_uuid: 'entry' };

const sentence = (text) => `${text}.`.replace(/\.\.$/, '.');
const capital = (text) => `${text[0].toUpperCase()}${text.slice(1)}`;

/**
 * Returns the source of the client's routes, and of the types of its methods. `conditions`: the schema of each field of
 * a task filter, which gets a type of its own.
 */
export function clientModule(contract, conditions) {
  const writer = new TypeWriter();
  const filter = `export interface TaskConditions {\n${writer.fieldsOf(z.object(conditions), 'input')}}\n`;
  const groups = Object.entries(contract).map(([noun, verbs]) => [
    noun,
    Object.entries(verbs).filter(([, verb]) => isPlain(verb)),
  ]);
  const interfaces = groups.map(([noun, verbs]) => {
    const methods = verbs.flatMap(([name, verb]) => methodsOf(writer, name, verb, Object.keys(conditions)));
    return `/** The verbs of \`${noun}\` that need no code of their own. */\nexport interface ${capital(noun)}Verbs {\n${methods.join('\n')}}\n`;
  });
  const byHand = Object.values(contract).flatMap((verbs) => Object.values(verbs).filter((verb) => !isPlain(verb)));
  for (const schema of [...OTHERS, ...byHand.map(({ gives }) => gives)]) writer.typeOf(schema, 'output');
  const routes = groups.map(
    ([noun, verbs]) => `${noun}: {\n${verbs.map(([name, verb]) => routeOf(name, verb)).join('')}},\n`,
  );
  return [
    HEAD,
    '/** The route of a method. */\nexport interface Route {\n  method: Call["method"];\n  path: string;\n',
    '  /** Whether the method takes a query or a body. */\n  takes?: true;\n',
    '  /** The name of the list in a page. */\n  items?: string;\n}\n\n',
    '/** The routes of the methods, by noun and verb. */\nexport const ROUTES = {\n',
    routes.join(''),
    '} as const satisfies Record<string, Record<string, Route>>;\n\n',
    '/** The conditions of a search for tasks or steps. */\n',
    filter,
    '\n',
    interfaces.join('\n'),
    '\n',
    writer.declarations().join('\n'),
  ].join('');
}

/** Returns whether a request is JSON or has no body, and its response is JSON. Other methods are written by hand. */
function isPlain({ takes = {}, gives }) {
  return !takes.bodyByHand && !(gives instanceof z.ZodString) && !(gives instanceof z.ZodNever);
}

function givenOf({ method, takes = {}, otherForms }) {
  if (method !== 'get') return takes.body ?? takes.optionalBody;
  if (!takes.query) return undefined;
  // The client always asks for JSON.
  return otherForms ? takes.query.omit({ format: true }) : takes.query;
}

const isEmpty = (schema) => schema instanceof z.ZodObject && Object.keys(schema.shape).length === 0;

function routeOf(name, verb) {
  const given = givenOf(verb);
  const items = itemsOf(verb);
  const parts = [
    `method: '${verb.method.toUpperCase()}'`,
    `path: '${verb.path}'`,
    ...(given && !isEmpty(given) ? ['takes: true'] : []),
    ...(items ? [`items: '${items}'`] : []),
  ];
  return `${name}: { ${parts.join(', ')} },\n`;
}

/** Returns the declaration of a method, and of the method that reads all pages if the response is a page. */
function methodsOf(writer, name, verb, conditions) {
  const { path, takes = {}, gives, summary, description, errors = [] } = verb;
  const thrown = errors.flatMap((status) => ERRORS[status] ?? []);
  const doc = (text) =>
    docComment(
      [sentence(text), description, ...(thrown.length > 0 ? [`@throws ${thrown.join(', ')}`] : [])]
        .filter(Boolean)
        .join('\n'),
      '  ',
    );
  const params = [...path.matchAll(/\{(\w+)\}/g)].map(([, param]) => {
    const number = takes.path.shape[param] instanceof z.ZodNumber;
    return `${SHORT[param] ?? param.replace(/_(uuid|id)$/, '')}: ${number ? 'number' : 'string'}`;
  });
  const given = givenOf(verb);
  const takesAny = given && !isEmpty(given);
  const required = verb.takes?.body !== undefined && verb.method !== 'get';
  const all = (more) => [...params, ...more, 'options?: CallOptions'].join(', ');
  const answer = writer.typeOf(gives, 'output');
  const givenAs = (without) => {
    const type = verb.method === 'get' ? queryType(writer, given, conditions, without) : writer.typeOf(given, 'input');
    return `${verb.method === 'get' ? 'query' : 'given'}${required ? '' : '?'}: ${type}`;
  };
  const one = `${doc(summary)}  ${name}(${all(takesAny ? [givenAs([])] : [])}): Promise<${answer}>;\n`;
  const items = itemsOf(verb);
  if (!items) return [one];
  const item = itemType(writer, verb, items);
  return [
    one,
    `${doc(`Reads all pages of {@link ${name}}, one after another, as the loop needs them`)}  ${name}All(${all([givenAs(['cursor'])])}): AsyncGenerator<${item}>;\n`,
  ];
}

function queryType(writer, query, conditions, without) {
  const filtered = conditions.every((name) => name in query.shape);
  const own = writer.fieldsOf(query, 'input', [...without, ...(filtered ? conditions : [])]);
  const parts = [...(filtered ? ['TaskConditions'] : []), ...(own === '' ? [] : [`{\n${own}}`])];
  return parts.join(' & ');
}
