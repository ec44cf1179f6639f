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
