import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Logger } from '../../src/logging/logger.ts';
import { hidingLogger, SensitiveTexts } from '../../src/logging/sensitive-texts.ts';

const SECRET = '4111 1111';

function collecting(): { logger: Logger; lines: unknown[][] } {
  const lines: unknown[][] = [];
  const at = (bindings: object): Logger => {
    const line = (...args: unknown[]) => lines.push(Object.keys(bindings).length > 0 ? [bindings, ...args] : args);
    const levels = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line };
    return { ...levels, child: (more) => at({ ...bindings, ...more }), isLevelEnabled: (level) => level !== 'trace' };
  };
  return { logger: at({}), lines };
}

function hiding(...texts: string[]) {
  const { logger, lines } = collecting();
  return { logger: hidingLogger(logger, () => new SensitiveTexts(texts)), lines };
}

describe('a line', () => {
  it('has no sensitive text in its message, its values and its fields', () => {
    const { logger, lines } = hiding(SECRET, '123456');
    (logger.info as (...args: unknown[]) => void)(`card ${SECRET}, again ${SECRET}!`, SECRET, 123456, 12345);
    logger.warn({ card: { number: SECRET, list: [SECRET, 1] }, [SECRET]: 1, n: 123456n }, `of ${SECRET}`);
    logger.child({ card: SECRET }).error('in a child');
    (logger as unknown as { fatal(text: string): void }).fatal(SECRET);
    expect(lines).toEqual([
      ['card [redacted], again [redacted]!', '[redacted]', '[redacted]', 12345],
      [{ card: { number: '[redacted]', list: ['[redacted]', 1] }, '[redacted]': 1, n: '[redacted]' }, 'of [redacted]'],
      [{ card: '[redacted]' }, 'in a child'],
      ['[redacted]'],
    ]);
  });

  it('has no sensitive text in an error, whose class is kept', () => {
    const { logger, lines } = hiding(SECRET);
    const cause = new Error(`inner ${SECRET}`);
    const error = Object.assign(new RangeError(`no ${SECRET}`, { cause }), { card: SECRET });
    logger.error(error as unknown as object);
    const [[shown]] = lines as [[RangeError & { card: string; cause: Error }]];
    expect(shown).toBeInstanceOf(RangeError);
    expect([shown.message, shown.card, shown.cause.message]).toEqual([
      'no [redacted]',
      '[redacted]',
      'inner [redacted]',
    ]);
    expect(shown.stack).not.toContain(SECRET);
    expect([error.message, error.card]).toEqual([`no ${SECRET}`, SECRET]);
    const harmless = new Error('fine');
    logger.error({ err: harmless });
    expect((lines[1] as [{ err: Error }])[0].err).toBe(harmless);
  });

  it('has no sensitive text in its JSON form', () => {
    const secret = 'a "quoted"\nline \\';
    const { logger, lines } = hiding(secret);
    logger.info(`got ${JSON.stringify({ secret })}`);
    expect(lines).toEqual([['got {"secret":"[redacted]"}']]);
  });

  it('has no sensitive text if it is circular, throws when it is read or has toJSON', () => {
    const { logger, lines } = hiding(SECRET);
    const own: Record<string, unknown> = { a: 1 };
    own.self = own;
    logger.info(own, 'circular');
    logger.info(
      {
        get bad() {
          throw new Error('no');
        },
      },
      SECRET,
    );
    logger.info({ toJSON: () => ({ card: SECRET }) }, 'converted');
    logger
      .child({
        get bad() {
          throw new Error('no');
        },
      })
      .info('child');
    expect(lines).toEqual([
      [{ a: 1, self: '[circular]' }, 'circular'],
      ['[redacted]'],
      [{ card: '[redacted]' }, 'converted'],
      ['child'],
    ]);
  });

  it('is not searched if its level is not written', () => {
    const { logger, lines } = collecting();
    let asked = 0;
    const counting = () => {
      asked++;
      return new SensitiveTexts([SECRET]);
    };
    hidingLogger(logger, counting).trace('not written');
    expect([asked, lines]).toEqual([0, []]);
  });
});

describe('sensitive texts', () => {
  it('are replaced as a whole if one is the beginning of another', () => {
    const texts = new SensitiveTexts(['ann@', 'ann@example.com', 'abc']);
    expect(texts.hide('ann@example.com, ann@home, abc')).toBe('[redacted], [redacted]home, abc');
  });

  it('are replaced at any position of a text', () => {
    const secret = fc
      .string({ minLength: 4, maxLength: 12, unit: 'grapheme' })
      .filter((text) => !text.includes('redacted'));
    const others = fc.array(fc.string(), { maxLength: 5 });
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 5 }), others, (all, rest) => {
        const shown = new SensitiveTexts(all).hide([...all, ...rest, ...all].join(''));
        for (const part of shown.split('[redacted]')) for (const one of all) expect(part).not.toContain(one);
      }),
    );
  });

  it('are all replaced in a long line, which is truncated', () => {
    const texts = new SensitiveTexts(Array.from({ length: 20_000 }, (_, i) => `customer-${i}@example.com`));
    const line = 'customer-19999@example.com and much more, '.repeat(5_000);
    const shown = texts.hide(line);
    expect(shown).not.toContain('@example.com');
    expect(shown.length).toBeLessThan(65_600);
  });
});
