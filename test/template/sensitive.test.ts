import { describe, expect, it } from 'vitest';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { digestOf } from '../../src/template/template-digest.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';
import { atMarks, clean, HEAD, problemsOf, unmarked } from './templates.ts';

const STEP = 'steps:\n  - {name: a, handler: h, result_schema: {properties: {token: {}}}}\n';
const MUST = 'must be keys joined by dots, such as `card.number`; `*` stands for every element or key';

/** Each row has a file with a `▸` before each problem, and the messages of the problems. */
const ROWS: [title: string, text: string, problems: string[]][] = [
  [
    'each path in another notation once, although its key is also missing from the schema',
    `${HEAD}input_schema: {properties: {name: {}}}\nsensitive:\n  - ▸$.card\n  - ▸customers[0].email\n  - ▸/card/number\n  - ▸card..number\n  - ▸.card\n  - ▸card.\n${STEP}`,
    ['$.card', 'customers[0].email', '/card/number', 'card..number', '.card', 'card.'].map(
      (path, i) => `error: \`sensitive[${i}]\`: \`${path}\` ${MUST}`,
    ),
  ],
  [
    'paths that are not strings, and a value that is not a list',
    `${HEAD}sensitive: ▸card\nsteps:\n  - {name: a, handler: h, sensitive: [▸1, ▸{b: 1}, ▸""]}\n`,
    [
      'error: `sensitive`: expected a list of paths, got a string; write `sensitive: [card]`',
      'error: `sensitive[0]` of step `a`: expected a string, got the number 1; put it in quotes: `"1"`',
      'error: `sensitive[1]` of step `a`: expected a string, got a map',
      `error: \`sensitive[2]\` of step \`a\`: \`\` ${MUST}`,
    ],
  ],
  [
    'a misspelt key as an error, because it would hide nothing',
    `${HEAD}▸sensitiv: [card]\nsteps:\n  - {name: a, handler: h, ▸sensetive: [token]}\n`,
    [
      'error: unknown key `sensitiv` in the template; did you mean `sensitive`?',
      'error: unknown key `sensetive` in step `a`; did you mean `sensitive`?',
    ],
  ],
  [
    'paths that the schema does not have',
    `${HEAD}input_schema: {properties: {card: {properties: {number: {}}}, list: {items: {properties: {email: {}}}}}}\nsensitive: [card.number, card.*, list.*.email, ▸card.nubmer, ▸crad, ▸list.0.mail]\nsteps:\n  - {name: a, handler: h, result_schema: {properties: {token: {}}}, sensitive: [token, ▸tokn]}\n  - {name: b, handler: h, result_schema: {$ref: '#/x', properties: {}, x: {}}, sensitive: [anything]}\n  - {name: c, handler: h, sensitive: [anything]}\n`,
    [
      'warning: `card.nubmer` hides nothing: `input_schema` has no `nubmer` there; did you mean `number`?',
      'warning: `crad` hides nothing: `input_schema` has no `crad` there; did you mean `card`?',
      'warning: `list.0.mail` hides nothing: `input_schema` has no `mail` there; did you mean `email`?',
      'warning: `tokn` hides nothing: `result_schema` has no `tokn` there; did you mean `token`?',
    ],
  ],
];

describe('validation of sensitive paths reports', () => {
  it.each(ROWS)('%s', (_, text, problems) => {
    expect(problemsOf(unmarked(text))).toEqual(atMarks(text, problems));
  });

  it('too many paths, and a path that is too long', () => {
    const many = Array.from({ length: 101 }, (_, i) => `k${i}`).join(', ');
    const { problems } = parseTemplate(
      `${HEAD}sensitive: [${many}]\nsteps: [{name: a, handler: h, sensitive: [${'k'.repeat(501)}]}]\n`,
    );
    expect(problems.map(({ message }) => message)).toEqual([
      '`sensitive` has 101 entries, but must have at most 100',
      '`sensitive[0]` of step `a` is 501 characters long, but must have at most 500',
    ]);
  });
});

describe('a template', () => {
  const text = `${HEAD}sensitive: [card.number, 'customers.*.email', 'Prénom 名.0', with space]\nsteps:\n  - {name: a, handler: h, sensitive: [token, '*']}\n  - {name: b, handler: h}\n`;

  it('has the sensitive paths of its context and its steps', () => {
    const { sensitive, steps } = clean(text);
    expect(sensitive).toEqual(['card.number', 'customers.*.email', 'Prénom 名.0', 'with space']);
    expect(steps.map((step) => step.sensitive)).toEqual([['token', '*'], null]);
  });

  it('keeps its sensitive paths in its stored form and in its digest', () => {
    const template = clean(text);
    expect(templateFromJson(JSON.parse(JSON.stringify(templateToJson(template))))).toEqual(template);
    const without = {
      ...template,
      sensitive: null,
      steps: template.steps.map((step) => ({ ...step, sensitive: null })),
    };
    expect(digestOf(without)).not.toBe(digestOf(template));
    expect(JSON.stringify(templateToJson(without))).not.toContain('sensitive');
  });
});
