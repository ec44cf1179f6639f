import { describe, expect, it } from 'vitest';
import { Together } from '../../src/time/together.ts';

/** Doubles numbers, and keeps the questions of each call, which ends when `answer` is called. */
function doubling(limits = { most: 3, calls: 1 }) {
  const calls: number[][] = [];
  const ends: (() => void)[] = [];
  const together = new Together<number, number>(async (questions) => {
    calls.push(questions);
    await new Promise<void>((resolve) => ends.push(resolve));
    if (questions.includes(666)) throw new Error('the call failed');
    return questions.map((n) => (n < 0 ? { error: new Error(`${n} is negative`) } : { answer: n * 2 }));
  }, limits);
  const answer = async () => {
    ends.shift()!();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { together, calls, answer };
}

describe('asking questions together', () => {
  it('sends a question immediately if a call is free, and otherwise with others in the next call', async () => {
    const { together, calls, answer } = doubling();
    const answers = [1, 2, 3, 4, 5].map((n) => together.ask(n));
    expect(calls).toEqual([[1]]);
    await answer();
    expect(calls).toEqual([[1], [2, 3, 4]]);
    await answer();
    await answer();
    expect(calls).toEqual([[1], [2, 3, 4], [5]]);
    expect(await Promise.all(answers)).toEqual([2, 4, 6, 8, 10]);
  });

  it('makes as many concurrent calls as the limit allows', async () => {
    const { together, calls } = doubling({ most: 2, calls: 2 });
    for (const n of [1, 2, 3]) void together.ask(n);
    expect(calls).toEqual([[1], [2]]);
  });

  it('rejects a question with its own error, or all questions of a call with the error of the call', async () => {
    const { together, answer } = doubling();
    const answers = [1, -2, 3, 666, 4].map((n) => together.ask(n).catch((error: Error) => error.message));
    for (let i = 0; i < 3; i++) await answer();
    expect(await Promise.all(answers)).toEqual([2, ...Array(3).fill('the call failed'), 8]);
    const again = [7, -8].map((n) => together.ask(n).catch((error: Error) => error.message));
    for (let i = 0; i < 2; i++) await answer();
    expect(await Promise.all(again)).toEqual([14, '-8 is negative']);
  });
});
