import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventMatcher, regexOfPatterns } from '../../src/model/event-pattern.ts';
import { emptyDatabase } from '../support/database.ts';

/** Each row has a pattern, names that match, and names that don't match. */
const TABLE: [pattern: string, yes: string[], no: string[]][] = [
  ['*', ['a.b', 'x'], []],
  ['payment.*', ['payment.ok', 'payment.card.ok', 'payment.'], ['paymentXok', 'payment', 'a.payment.ok']],
  ['order.completed', ['order.completed'], ['order.completed.late', 'orderXcompleted', 'order.complete']],
  ['*.failed', ['a.failed', 'a.b.failed'], ['a_failed', 'failed']],
  ['a.?', ['a.b', 'a..'], ['a.', 'a.bc']],
  ['a.[bc]', ['a.b', 'a.c'], ['a.d', 'a.bc']],
  ['a.[b-d1]x', ['a.cx', 'a.1x'], ['a.ax', 'a.-x']],
  ['a.[!b-d]', ['a.e', 'a..'], ['a.c', 'a.']],
  ['a.[^b]', ['a.c'], ['a.b']],
  ['a.[]b]', ['a.]', 'a.b'], ['a.c']],
  ['a.[b-]', ['a.b', 'a.-'], ['a.c']],
  ['a.[b', ['a.[b'], ['a.b']],
  ['a+(b)|c$^{2}\\d', ['a+(b)|c$^{2}\\d'], ['aab', 'c', 'a+(b)|c$^{2}1']],
  ['a.[\\d]', ['a.d', 'a.\\'], ['a.1']],
];

describe('a pattern of event names', () => {
  it.each(TABLE)('the pattern %s matches the expected names', (pattern, yes, no) => {
    const matches = eventMatcher([pattern]);
    expect(yes.filter((name) => !matches(name))).toEqual([]);
    expect(no.filter((name) => matches(name))).toEqual([]);
  });

  it('a name matches a list if it matches any of its patterns, and never matches an empty list', () => {
    const matches = eventMatcher(['payment.*', 'order.completed']);
    expect(['payment.ok', 'order.completed', 'order.lost'].map(matches)).toEqual([true, true, false]);
    expect(eventMatcher([])('payment.ok')).toBe(false);
  });

  it('an empty pattern and a range that runs backwards are rejected with an error that names them', () => {
    expect(() => eventMatcher([''])).toThrow('an event pattern must not be empty');
    expect(() => eventMatcher(['a.[z-a]'])).toThrow('event pattern a.[z-a]: the range z-a runs backwards');
  });

  it.each(['a.\0', 'a.[😀-\uff00]', 'a.[😀-😁]', 'a.\ud800'])(
    'a pattern that PostgreSQL would read differently from JavaScript is rejected: %j',
    (pattern) => {
      const message = 'names of events cannot have U+0000 or characters above U+FFFF';
      expect(() => eventMatcher([pattern])).toThrow(
        expect.objectContaining({ code: 'bad_request', message: expect.stringContaining(message) }),
      );
    },
  );
});

describe('in PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof emptyDatabase>>;
  beforeAll(async () => {
    database = await emptyDatabase();
  });
  afterAll(() => database.drop());

  it('each pattern matches the same names as in JavaScript', async () => {
    const cases = TABLE.flatMap(([pattern, yes, no]) =>
      [...yes, ...no].map((name) => ({ pattern, name, expected: yes.includes(name) })),
    );
    cases.push({ pattern: '(none)', name: 'a.b', expected: false });
    const regexes = cases.map(({ pattern }) => regexOfPatterns(pattern === '(none)' ? [] : [pattern]));
    const rows = await database.sql<{ matches: boolean }>(
      'select name ~ regex as matches from unnest($1::text[], $2::text[]) with ordinality as given (name, regex, place) order by place',
      [cases.map(({ name }) => name), regexes],
    );
    expect(rows.map(({ matches }, at) => ({ ...cases[at], expected: matches }))).toEqual(cases);
  });
});
