import path from 'node:path';
import { DefaultReporter, type TestCase, type TestModule, type TestRunEndReason } from 'vitest/node';

/** Time between two lines of progress, where the output is not a terminal. */
const PROGRESS_MS = 30_000;

/**
 * Prints one line for each file, failures at the end with the command that repeats them, and the number of tests that are
 * done: at the bottom of a terminal, otherwise every half minute.
 */
export default class SuiteReporter extends DefaultReporter {
  #done = 0;
  #failed = 0;
  #began = Date.now();
  #nextLine = Date.now() + PROGRESS_MS;

  override onTestCaseResult(test: TestCase): void {
    super.onTestCaseResult(test);
    this.#done += 1;
    if (test.result().state === 'failed') this.#failed += 1;
    if (this.isTTY || Date.now() < this.#nextLine) return;
    this.#nextLine = Date.now() + PROGRESS_MS;
    const seconds = Math.round((Date.now() - this.#began) / 1000);
    this.ctx.logger.log(`${this.#done} tests done, ${this.#failed} failed, ${seconds} s`);
  }

  override onTestRunEnd(modules: readonly TestModule[], errors: readonly never[], reason: TestRunEndReason): void {
    super.onTestRunEnd(modules, errors, reason);
    const commands = modules.filter((module) => !module.ok()).map(repeatCommand);
    if (commands.length > 0)
      this.ctx.logger.log(`To repeat the files that failed:\n${[...new Set(commands)].join('\n')}\n`);
  }
}

/** Returns the command that runs a file again in the same way, with the same random cases. */
function repeatCommand({ project, moduleId }: TestModule): string {
  const { seed } = project.config.provide as { seed?: number };
  const file = path.relative(project.vitest.config.root, moduleId);
  return `  ${seed === undefined ? '' : `SEED=${seed} `}npx vitest run --project ${project.name} ${file}`;
}
