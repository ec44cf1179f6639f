import type { PatternNode } from './parse-pattern.ts';

/** More ways through a pattern than this are not followed one after the other. */
const MOST_WAYS = 64;

/** How much there is to go back over when the rest of a pattern fails. */
interface Ways {
  /** Repetitions that may take any of many lengths. */
  loops: number;
  /** Ways through the rest: options of choices, and parts that may be missing. */
  ways: number;
}

/**
 * Whether JavaScript's own engine is sure to test this pattern in time proportional to the text: it begins at one place
 * only, has at most one repetition of variable length, and few ways through the rest. Most patterns of real schemas are
 * like that (`^[A-Z]{2}-\d{4}$`), and that engine is many times as fast.
 */
export function backtracksLittle(node: PatternNode): boolean {
  if (!beginsAtStart(node)) return false;
  const { loops, ways } = waysThrough(node);
  return loops <= 1 && ways <= MOST_WAYS;
}

function beginsAtStart(node: PatternNode): boolean {
  const first = node.kind === 'sequence' ? node.items[0] : node;
  return first?.kind === 'assert' && first.where === 'start';
}

function waysThrough(node: PatternNode): Ways {
  switch (node.kind) {
    case 'char':
    case 'assert':
      return { loops: 0, ways: 1 };
    case 'sequence':
      return node.items.map(waysThrough).reduce(both, { loops: 0, ways: 1 });
    case 'choice':
      return node.options.map(waysThrough).reduce(either);
    case 'repeat':
      return waysToRepeat(node);
    case 'look':
      return { loops: Infinity, ways: Infinity };
  }
}

const both = (one: Ways, other: Ways): Ways => ({ loops: one.loops + other.loops, ways: one.ways * other.ways });
const either = (one: Ways, other: Ways): Ways => ({
  loops: Math.max(one.loops, other.loops),
  ways: one.ways + other.ways,
});

function waysToRepeat({ item, least, most }: Extract<PatternNode, { kind: 'repeat' }>): Ways {
  const { loops, ways } = waysThrough(item);
  if (most === 1) return { loops, ways: ways + (least === 0 ? 1 : 0) };
  if (loops > 0 || ways > 1) return { loops: Infinity, ways: Infinity };
  return { loops: least === most ? 0 : 1, ways: 1 };
}
