import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUuid, stepIndex, stepUuid, uuidV7 } from '../../src/model/ids.ts';

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (uuid: string) => Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
/** The time of a new id. It is later than the clock if another test of this process has moved the clock. */
const latest = () => timeOf(uuidV7());

describe('uuidV7', () => {
  it('a UUID has the version, the variant and the time of RFC 9562', () => {
    const later = latest() + 1000;
    const uuid = uuidV7(later);
    expect(uuid).toMatch(V7);
    expect(timeOf(uuid)).toBe(later);
  });

  it('ids are unique and sort in the order of creation, even if far more are created than fit into a millisecond', () => {
    const now = latest() + 1000;
    const made = Array.from({ length: 20_000 }, () => uuidV7(now));
    expect(new Set(made).size).toBe(made.length);
    expect([...made].sort()).toEqual(made);
    expect(made.every((uuid) => V7.test(uuid))).toBe(true);
    // A millisecond has 4,096 numbers. Further ids take numbers of the next milliseconds instead of random bits.
    expect(timeOf(made.at(-1)!) - now).toBeLessThan(7);
  });

  it('ids stay in order when the clock is set back', () => {
    const now = latest() + 1000;
    const before = uuidV7(now);
    expect(uuidV7(now - 60_000) > before).toBe(true);
  });
});

describe('isUuid', () => {
  it('isUuid accepts UUIDs of any version and case, and rejects other values', () => {
    expect(['01a212f4-5a38-7090-909f-2af0a720ede0', '00000000-0000-0000-0000-000000000000'].every(isUuid)).toBe(true);
    expect(isUuid('01A212F4-5A38-7090-909F-2AF0A720EDE0')).toBe(true);
    const wrong = [
      '',
      '01a212f45a387090909f2af0a720ede0',
      '01a212f4-5a38-7090-909f-2af0a720ede0\n',
      '{x}',
      'g'.repeat(36),
    ];
    expect(wrong.some(isUuid)).toBe(false);
  });
});

describe('stepUuid', () => {
  const place = fc.integer({ min: 0, max: 2 ** 31 - 2 });

  it('the index of a step is computed from its id', () => {
    fc.assert(
      fc.property(place, (idx) => {
        const task = uuidV7();
        const step = stepUuid(task, idx);
        expect(step).toMatch(V7);
        expect(step).not.toBe(task);
        expect(stepIndex(task, step)).toBe(idx);
        expect(stepIndex(task.toUpperCase(), step.toUpperCase())).toBe(idx);
      }),
    );
  });

  it('each step has a different id, which belongs to no other task', () => {
    const [task, other] = [uuidV7(), uuidV7()];
    const steps = Array.from({ length: 5_000 }, (_, idx) => stepUuid(task, idx));
    expect(new Set(steps).size).toBe(steps.length);
    expect(stepIndex(other, steps[0]!)).toBeUndefined();
    expect(stepIndex(task, task)).toBeUndefined();
    expect(stepIndex(task, 'charge')).toBeUndefined();
  });
});
