import type { PatternNode } from './parse-pattern.ts';

/** Maximum number of paths through a pattern that JavaScript's own engine tests. */
const MOST_WAYS = 64;

/** The amount of backtracking when the rest of a pattern fails. */
interface Ways {
  /** Repetitions of variable length. */
  loops: number;
  /** Paths through the rest: alternatives, and optional parts. */
  ways: number;
}

/**
 * Returns whether JavaScript's own engine is guaranteed to test this pattern in time proportional to the text. The
 * pattern must be anchored at the start, with at most one repetition of variable length and few paths through the rest.
 * Most patterns in real schemas meet these conditions (`^[A-Z]{2}-\d{4}$`), and JavaScript's engine is many times
 * faster.
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
