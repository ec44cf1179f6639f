export const NAMED: readonly { what: string; file: string; from: string; to: string }[];
export function namedMutant(
  mutant: (typeof NAMED)[number],
  text: string,
): { start: number; end: number; replacement: string };
