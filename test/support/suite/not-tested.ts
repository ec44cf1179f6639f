import type { TestProject, Vitest } from 'vitest/node';
import { howToInstall, PROGRAM_NAMES, PROGRAMS, type ProgramName, programPath } from './programs.ts';

/** Prints as the last line of a run which tests were skipped because a program is not installed. */
export default function setup(project: TestProject): () => void {
  return () => {
    const line = notTested(project.vitest);
    if (line !== undefined) console.log(`\n${line}`);
  };
}

function notTested(vitest: Vitest): string | undefined {
  const counts = new Map<ProgramName, number>();
  for (const module of vitest.state.getTestModules()) {
    for (const test of module.children.allTests()) {
      const { needs } = test.meta();
      if (needs === undefined || programPath(needs) !== undefined) continue;
      counts.set(needs, (counts.get(needs) ?? 0) + 1);
    }
  }
  const names = PROGRAM_NAMES.filter((name) => counts.has(name));
  if (names.length === 0) return undefined;
  const parts = names.map((name) => {
    const count = counts.get(name)!;
    return `${PROGRAMS[name].tests} (${count} ${count === 1 ? 'test needs' : 'tests need'} ${name})`;
  });
  return `not tested, since programs are missing: ${parts.join(', ')}; ${howToInstall(names)}`;
}
