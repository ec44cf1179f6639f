import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { Schema } from '../../src/db/schema.ts';

const PRINTS = path.resolve('test/support/suite/print-statements.mjs');
const NAME = 'order';

interface Printed {
  name: string;
  text: string;
}

/** Returns a text for the schema `tasker` that has the same meaning as a text for the schema `order`. */
const plain = (text: string): string =>
  text
    .replaceAll(`"${NAME}".`, 'tasker.')
    .replaceAll(`create schema "${NAME}"`, 'create schema tasker')
    .replaceAll(/pg_notify\('order' \|\| substr\(([^,]+), 7\)/g, 'pg_notify($1')
    .replaceAll(/ # \d+(?=[,)])/g, '')
    .replaceAll(`'${NAME}'`, `'tasker'`);

let statements: Printed[];
beforeAll(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PRINTS], { maxBuffer: 2 ** 26 });
  statements = JSON.parse(stdout) as Printed[];
});

describe('statements for another schema', () => {
  it('are equal to those for the default schema after the name is replaced', () => {
    const other = new Schema(NAME);
    expect(statements.length).toBeGreaterThan(300);
    for (const { text } of statements) expect(plain(other.bind(text))).toBe(text);
  });

  it('name neither the schema tasker, nor its locks and channels', () => {
    const other = new Schema(NAME);
    const callables = /'tasker\.(?:timer|signal|approval)'/g;
    const texts = statements.map(({ text }) => other.bind(text).replaceAll(callables, ''));
    expect(texts.filter((text) => /\btasker\b(?!_)/.test(text.replaceAll(/--.*$/gm, '')))).toEqual([]);
    expect(texts.filter((text) => /advisory_xact_lock(?:_shared)?\((?![^)]+ # \d)/.test(text))).toEqual([]);
    expect(texts.filter((text) => /pg_notify\((?!'order' \|\| substr\()/.test(text))).toEqual([]);
    const locked = texts.filter((text) => text.includes('advisory_xact_lock'));
    expect(locked.length).toBeGreaterThan(10);
  });
});

describe('statements for the default schema', () => {
  it('are sent as they are written', () => {
    const schema = new Schema();
    for (const statement of statements) {
      expect(schema.bind(statement.text)).toBe(statement.text);
      expect(schema.statement(statement)).toEqual({
        name: statement.name,
        text: `/* ${statement.name} */ ${statement.text.trim()}`,
      });
    }
  });

  it('are rewritten once, not for each call', () => {
    const schema = new Schema(NAME);
    const [statement] = statements;
    expect(schema.statement(statement!)).toBe(schema.statement(statement!));
    expect(schema.textOf(statement!)).toBe(schema.textOf(statement!));
  });
});

describe('the name of a schema', () => {
  it.each(['tasker', 'a', '_a', 'shop_tasks', 'order', 'x'.repeat(40)])('can be %s', (name) => {
    expect(new Schema(name).name).toBe(name);
  });

  it.each([
    '',
    'Shop',
    'shop-tasks',
    '1a',
    'a"b',
    "a'b",
    'a.b',
    'pg_x',
    'public',
    'information_schema',
    'x'.repeat(41),
  ])('cannot be %j', (name) => {
    expect(() => new Schema(name)).toThrow('schema must be the name of a PostgreSQL schema');
  });

  it('gives each schema its own channels and locks', () => {
    const [one, two] = [new Schema('shop'), new Schema('shop_two')];
    expect(one.channel('tasker_work')).toBe('shop_work');
    expect(one.plainChannel('shop_work')).toBe('tasker_work');
    const lock = 'select pg_advisory_xact_lock(7303014008)';
    expect(new Set([new Schema().bind(lock), one.bind(lock), two.bind(lock)]).size).toBe(3);
  });
});
