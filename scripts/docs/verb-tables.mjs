import { z } from 'zod';

/** The title of each noun, and the page that explains its verbs. */
const GUIDES = {
  tasks: ['Tasks', 'guide/api.md'],
  steps: ['Steps', 'guide/api.md#acting'],
  bulkActs: ['Bulk actions', 'guide/many-tasks.md'],
  signals: ['Signals', 'guide/signals.md'],
  approvals: ['Approvals', 'guide/approvals.md'],
  completions: ['Completions', 'guide/waiting.md'],
  schedules: ['Schedules', 'guide/schedules.md'],
  templates: ['Templates', 'guide/templates.md'],
  namespaces: ['Namespaces', 'guide/pausing.md'],
  deadLetters: ['Dead letters', 'guide/dead-letters.md'],
  events: ['Events', 'guide/domain-events.md'],
  workers: ['Workers and queues', 'guide/workers.md'],
  installation: ['The installation', 'guide/operations.md'],
  audit: ['Audit', 'guide/operations.md'],
  analytics: ['Analytics', 'guide/statistics.md'],
  credentials: ['Credentials', 'guide/security.md'],
};
/** Methods of the client that have no verb in the contract. */
const OTHER_METHODS = {
  wait: 'Waits until a task has ended.',
  preview: 'Shows what a bulk action would act on.',
  follow: 'Waits until a bulk action has ended, and reports its progress.',
  reset: 'Resets a failed step, so that it runs again.',
  resolve: 'Marks a step as resolved by hand.',
  complete: 'Completes a step by hand, with a result.',
  config: 'Returns the configuration of the server, with secrets hidden.',
  beginSession: 'Starts a browser session.',
  endSession: 'Ends the current browser session.',
  check: 'Returns whether the server responds.',
  ready: 'Returns whether the server is ready, and which part is not.',
  detailed: 'Returns the health of each part of the server.',
};
/** Fields of every list, and fields that every action takes. */
const OF_LISTS = ['limit', 'cursor'];
const OF_ACTIONS = ['reason', 'by'];

export const code = (text) => `\`${text}\``;
export const cell = (text) => text.replaceAll('|', '\\|');
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, '.');
const fieldsOf = (schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []);

/** Returns the names of the parameters and body fields of a verb as Markdown, without those in its path. */
function takenBy({ takes = {} }, conditions) {
  const bodies = [takes.body, takes.optionalBody, ...Object.values(takes.bodyByHand ?? {})];
  const query = fieldsOf(takes.query);
  const filtered = conditions.every((name) => query.includes(name));
  const skipped = filtered ? [...OF_LISTS, ...conditions] : OF_LISTS;
  const names = [
    ...query.filter((name) => !skipped.includes(name)),
    ...bodies.flatMap(fieldsOf).filter((name) => !OF_ACTIONS.includes(name)),
  ];
  const types = Object.keys(takes.bodyByHand ?? {}).filter((type) => type !== 'application/json');
  return [...(filtered ? ['[conditions](#conditions)'] : []), ...names.map(code), ...types.map(code)].join(', ');
}

/** Returns the tables of routes, with a section for each noun. `conditions`: the fields of a task filter. */
export function routeTables(contract, conditions) {
  return Object.entries(contract)
    .flatMap(([noun, verbs]) => [
      `## ${titleOf(noun)}`,
      '',
      '| route | takes | permission | |',
      '|---|---|---|---|',
      ...Object.values(verbs).map((verb) => {
        const needs = { public: 'none', authenticated: 'any credential' }[verb.permission] ?? code(verb.permission);
        const route = code(`${verb.method.toUpperCase()} ${verb.path}`);
        return `| ${[route, takenBy(verb, conditions), needs, sentence(verb.summary)].map(cell).join(' | ')} |`.replaceAll(
          '|  |',
          '| |',
        );
      }),
      '',
      `See [${titleOf(noun).toLowerCase()}](${GUIDES[noun][1]}).`,
      '',
    ])
    .join('\n')
    .trimEnd();
}

function titleOf(noun) {
  if (!GUIDES[noun]) throw new Error(`scripts/docs/verb-tables.mjs has no page for the noun ${noun}; add it to GUIDES`);
  return GUIDES[noun][0];
}

/** Returns the tables of the client's methods. `client`: the client whose groups and methods are listed. */
export function methodTables(contract, client) {
  const groups = Object.entries(client).filter(([, group]) => typeof group === 'object' && group !== null);
  return groups
    .flatMap(([name, group]) => [
      `## ${code(name)}`,
      '',
      '| method | route | |',
      '|---|---|---|',
      ...Object.keys(group).map((method) => {
        const verb = contract[name]?.[method];
        const route = verb ? code(`${verb.method.toUpperCase()} ${verb.path}`) : '';
        return `| ${[code(method), route, verb ? sentence(verb.summary) : otherMethod(name, method)].map(cell).join(' | ')} |`.replaceAll(
          '|  |',
          '| |',
        );
      }),
      '',
    ])
    .join('\n')
    .trimEnd();
}

function otherMethod(name, method) {
  const listed = /^(\w+)All$/.exec(method);
  const text = listed ? `Reads all pages of ${code(listed[1])}, one after another.` : OTHER_METHODS[method];
  if (!text)
    throw new Error(`the contract has no verb ${name}.${method}; describe the method in scripts/docs/verb-tables.mjs`);
  return text;
}

/** Returns a page with the text between its markers replaced. */
export function withTables(page, text) {
  return page.replace(
    /(<!-- verbs: written by scripts\/write-verbs\.mjs -->\n)[\s\S]*?(<!-- end of verbs -->)/,
    (_, begin, end) => `${begin}\n${text}\n\n${end}`,
  );
}
