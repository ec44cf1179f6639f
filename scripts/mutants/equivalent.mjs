// Mutants that do not change observable behaviour, each with the reason. They do not count in the score. `line` is part of
// the source line where the mutant begins, so that an entry stays valid when the line moves.
export const EQUIVALENT = [
  {
    file: 'src/engine/insert-tasks.ts',
    line: "((a.identityHash ?? '') < (b.identityHash ?? '') ? -1 : 1)",
    operator: 'comparison',
    original: '<',
    replacement: '<=',
    why: 'the order of tasks with the same identity, or without one, does not matter',
  },
  {
    file: 'src/store/expand-tasks.ts',
    line: "and p.state not in ('complete', 'resolved_manually')) unmet",
    operator: 'state',
    original: "'complete'",
    replacement: "'error'",
    why: 'recount_steps, in the same transaction, counts again for workers with more than one parent',
  },
  {
    file: 'src/worker/life-guard-thread.ts',
    line: 'if (sharedNow() - memory.provenAt >= leaseMs) memory.cameBack(sentAt);',
    operator: 'comparison',
    original: '>=',
    replacement: '>',
    why: 'two clock readings that differ by exactly the lease',
  },
  {
    file: 'src/worker/task-cache.ts',
    line: 'return task.known.withheld.size === 0 && task.bytes <= size;',
    operator: 'comparison',
    original: '<=',
    replacement: '<',
    why: 'a shortcut: at the boundary the exact sum is computed and gives the same answer',
  },
];

export function equivalenceOf({ file, operator, replacement, original }, lineText) {
  const found = EQUIVALENT.find(
    (each) =>
      each.file === file &&
      each.operator === operator &&
      each.original === original &&
      each.replacement === replacement &&
      lineText.includes(each.line),
  );
  return found?.why;
}
