import { describe, expect, it } from 'vitest';
import { checkExpression, type ExpressionScope } from '../../src/expressions/check-expression.ts';
import { Expression } from '../../src/expressions/expression.ts';

const VALUES = {
  context: {
    n: 3,
    big: 2 ** 53 - 1,
    text: 'héllo',
    list: [1, 2],
    flag: true,
    nothing: null,
    at: '2026-12-02T10:00:00Z',
  },
  steps: { price: { cents: 1250 }, 'ship-it': { no: 'T-1' } },
  errors: { charge: { type: 'card_refused', message: 'no', code: null, attempts: 2 } },
  task: {
    uuid: 'u',
    namespace: 'shop',
    name: 'order',
    version: '1.0.0',
    priority: 5,
    tags: ['a'],
    created_at: '2026-12-02T10:00:00.000000Z',
    correlation_id: 'c',
  },
};
const resultOf = (text: string) => new Expression(text).evaluate(VALUES);
const failing = (text: string) => {
  try {
    return `no error, but ${JSON.stringify(resultOf(text))}`;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('an expression', () => {
  it.each([
    ['context.n + 1', 4],
    ['1 + context.n', 4],
    ['context.n / 2', 1.5],
    ['context.n % 2 == 1', true],
    ['-context.n', -3],
    ['context.n == 3 && 3 == context.n', true],
    ['context.n in [1, 3]', true],
    ['context.list[0] + context.list[1]', 3],
    ['context.list[context.n - 2]', 2],
    ['size(context.list) * 2', 4],
    ['size(context.list) < context.n', true],
    ['size(context.text)', 5],
    ['context.nothing == null', true],
    ['context.big + 0', 2 ** 53 - 1],
    ['steps.price.cents > 1000 ? "large" : "small"', 'large'],
    ["steps['ship-it'].no", 'T-1'],
    ["'ship-it' in steps && !('other' in steps)", true],
    ['has(steps.other)', false],
    ['errors.charge.type == "card_refused" && errors.charge.attempts == 2', true],
    ['task.priority > 1 && "a" in task.tags', true],
    ['context.list.map(x, x * 2).filter(x, x > 2)', [4]],
    ['context.list.exists(x, x == 2) && context.list.all(x, x > 0)', true],
    ['{"cents": steps.price.cents, "both": [1, "x", 2.5]}', { cents: 1250, both: [1, 'x', 2.5] }],
    ['timestamp(context.at) + duration("1h")', '2026-12-02T11:00:00.000Z'],
    ['context.text.matches("^h.llo$")', true],
    ['string(context.n) + " items"', '3 items'],
  ])('%s is %j', (text, value) => {
    expect(resultOf(text)).toEqual(value);
  });

  it('names a missing key, and how to test for it', () => {
    expect(failing('context.m')).toBe('context.m does not exist; test it first with has(context.m)');
    expect(failing('steps.other.id == 1')).toBe('steps.other does not exist; test it first with has(steps.other)');
    expect(failing("steps['other-one'].id")).toBe(
      "steps['other-one'] does not exist; test it first with 'other-one' in steps",
    );
    expect(failing('context.list[2]')).toBe(
      'context.list[2] does not exist: the list is shorter, or the index is negative',
    );
    expect(failing('context.nothing.key')).toMatch(/^context\.nothing\.key does not exist/);
  });

  it('fails in the words of JSON if values have other types', () => {
    expect(failing('context.n > context.text')).toBe('> does not take a number and a string');
    expect(failing('context.n && true')).toBe('&& and || take booleans, not a number');
    expect(failing('context.n ? 1 : 2')).toBe('the condition must be a boolean, not a number');
    expect(failing('context.n.startsWith("3")')).toBe('a number has no function startsWith that takes a string');
  });

  it('never has a value that JSON does not have', () => {
    expect(failing('1.0 / 0.0')).toBe('its value is not a finite number; test for a division by zero');
    expect(failing('1 / 0')).toBe('division by zero');
    expect(failing('context.n % 0')).toBe('modulo by zero');
    expect(failing('9007199254740993')).toMatch(/^its value is a whole number that is too large for JSON/);
    expect(failing('duration("1h")')).toMatch(/^its value has no form in JSON/);
    expect(failing('9223372036854775807 + 1')).toBe('9223372036854775807 + 1 fails with numeric overflow');
  });

  it('never shows a value that it read in the message of a failure', () => {
    const secret = { ...VALUES, context: { card: '4111 (', list: ['4111 ('] } };
    const texts = [
      'bool(context.card)',
      'context.card.matches(context.card)',
      'timestamp(context.card)',
      'int(context.card)',
    ];
    for (const text of [
      ...texts,
      'duration(context.card)',
      'double(context.card)',
      'context.list[context.card]',
      'context.card + 1',
    ]) {
      const message = (() => {
        try {
          return `no failure: ${JSON.stringify(new Expression(text).evaluate(secret))}`;
        } catch (error) {
          return (error as Error).message;
        }
      })();
      expect(message, text).not.toContain('4111');
      expect(message, text).not.toContain('no failure');
    }
  });

  it.each([
    ['1 +', 'the expression ends too early', 3],
    ['', 'the expression is empty', 0],
    ['contxt.n', 'unknown name contxt; did you mean context?', 0],
    ['1 + input.total', 'unknown name input; the input of a task is its context: write context.total', 4],
    ['inputs', 'unknown name inputs; the input of a task is its context: write context', 0],
    ['1 + foo', 'unknown name foo; the names are context, steps, errors, task', 4],
    ['cel.bind(a, 1, a)', 'unknown name cel; the names are context, steps, errors, task', 0],
    [
      'context.list.all(context, true)',
      'a variable cannot be called context, which has another meaning; rename it',
      17,
    ],
    ['"a" + 1', '+ does not take a string and a whole number', 0],
    ['context.a.matches("(")', /^the pattern of matches cannot be used: /, 18],
    ['nope(1)', 'no function nope takes a whole number', 0],
  ])('%s is refused before it is evaluated', (text, message, offset) => {
    expect(() => new Expression(text)).toThrow(
      expect.objectContaining({
        message: typeof message === 'string' ? message : expect.stringMatching(message),
        offset,
      }),
    );
  });

  it('is limited in length, depth and iterations', () => {
    expect(() => new Expression(`"${'x'.repeat(4095)}"`)).toThrow(/longer than 4096 characters/);
    expect(() => new Expression(`${'('.repeat(70)}1${')'.repeat(70)}`)).toThrow(/nested too deeply/);
    const long = { ...VALUES, context: { list: Array.from({ length: 1000 }, (_, i) => i) } };
    const all = (depth: number): string => (depth === 0 ? 'true' : `context.list.all(x${depth}, ${all(depth - 1)})`);
    expect(new Expression(all(1)).evaluate(long)).toBe(true);
    expect(() => new Expression(all(2)).evaluate(long)).toThrow(/iterate more than 100000 times/);
    for (const macro of [
      'exists(y, false)',
      'exists_one(y, true)',
      'map(y, y)',
      'filter(y, true)',
      'map(y, true, y)',
    ]) {
      const nested = new Expression(
        `size(context.list.map(x, size(string(context.list.${macro} == context.list)))) > 0`,
      );
      expect(() => nested.evaluate(long), macro).toThrow(/iterate more than 100000 times/);
    }
  });

  it('tests a pattern in linear time', () => {
    const attack = { ...VALUES, context: { text: `${'a'.repeat(50_000)}b` } };
    const before = performance.now();
    expect(new Expression('context.text.matches("^(a+)+$")').evaluate(attack)).toBe(false);
    expect(performance.now() - before).toBeLessThan(5000);
    expect(failing('context.text.matches("(" + context.text)')).toMatch(/fails with invalid pattern$/);
  });

  it('reads own keys only', () => {
    expect(failing('context.constructor')).toMatch(/does not exist/);
    expect(failing('context.__proto__')).toMatch(/does not exist|reserved/i);
    expect(failing('context.list.length')).toMatch(/does not exist/);
  });

  it('knows what it reads', () => {
    const { reads } = new Expression(
      'context.a.b[0].c == steps.x.y[context.i] && has(context.t) && "z" in steps && context.l.all(e, e.k > task.priority)',
    );
    expect(
      reads.map(
        ({ root, keys, tested }) => `${[root, ...keys.map((key) => key ?? '*')].join('.')}${tested ? '?' : ''}`,
      ),
    ).toEqual(['context.a.b.0.c', 'steps.x.y.*', 'context.i', 'context.t?', 'steps.z?', 'context.l', 'task.priority']);
  });
});

const CONTEXT = {
  type: 'object',
  additionalProperties: false,
  properties: {
    total: { type: 'number' },
    name: { type: 'string' },
    ok: { type: 'boolean' },
    items: {
      type: 'array',
      items: { type: 'object', additionalProperties: false, properties: { price: { type: 'number' } } },
    },
    free: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  },
};
const SCOPE: ExpressionScope = {
  context: CONTEXT,
  steps: new Map([
    ['price', { type: 'object', additionalProperties: false, properties: { cents: { type: 'integer' } } }],
    ['ship-it', null],
  ]),
  unreadable: (step) => (step === 'later' ? 'does not come before this step' : 'is not a step'),
  condition: true,
};
const found = (text: string, scope = SCOPE) => {
  try {
    checkExpression(text, scope);
    return undefined;
  } catch (error) {
    const { message, offset } = error as { message: string; offset: number };
    return `${offset}: ${message}`;
  }
};

describe('a condition that is checked with its template', () => {
  it.each([
    'context.total > 1',
    'context.total + 1 == 2.5',
    '1 == context.total',
    'context.total in [1, 2]',
    'context.name == "x" && context.ok',
    'context.items[0].price > steps.price.cents',
    'context.items.all(i, i.price > 1)',
    'context.free == null || context.free == "x"',
    "steps['ship-it'].anything.at.all == 1",
    'has(steps.price) && "price" in steps',
    'errors.price.type == "card_refused"',
    'task.priority > 1',
    'context.total >\n  context.total',
  ])('accepts %s', (text) => {
    expect(found(text)).toBeUndefined();
  });

  it.each([
    ['context.totl > 1', '0: `totl` is not in the schema; did you mean `total`?'],
    ['true || has(context.nam)', '12: `nam` is not in the schema; did you mean `name`?'],
    ['context.items[0].prize > 1', '0: `prize` is not in the schema; did you mean `price`?'],
    ['steps.price.cent == 1', '0: `cent` is not in the schema; did you mean `cents`?'],
    ['steps.later.x == 1', '0: `later` does not come before this step'],
    ['"other" in steps', '0: `other` is not a step'],
    ['size(steps) > 1', '5: steps must be followed by the name of a step, such as steps.NAME'],
    ['steps[context.name].x == 1', '0: steps must be followed by the name of a step, such as steps.NAME'],
    ['errors.price.kind == 1', '0: `kind` is not in the schema; its keys are type, message, code, attempts'],
    ['task.uid == "x"', '0: `uid` is not in the schema; did you mean `uuid`?'],
    ['context.name > 3', '0: > does not take a string and a whole number'],
    ['context.ok && context.name', '0: && and || take booleans, not a string'],
    ['context.total', '0: the condition must be true or false; compare the value, for example with == or >'],
    ['"yes"', '0: the condition must be true or false; compare the value, for example with == or >'],
  ])('refuses %s', (text, message) => {
    expect(found(text)).toBe(message);
  });

  it('accepts any key and type that no schema tells', () => {
    expect(found('context.anything > 1 && context.other == "x"', { ...SCOPE, context: null })).toBeUndefined();
    expect(found('context.anything', { ...SCOPE, context: {} })).toBeUndefined();
  });
});
