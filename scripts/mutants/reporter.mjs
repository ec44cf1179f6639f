// Reports each test to the mutation runner as it starts and ends.
import path from 'node:path';

const fileOf = (module) => path.relative(process.cwd(), module.moduleId);
const messageOf = (error) => String(error?.message ?? error).slice(0, 500);

export default class Reporter {
  onTestCaseReady(test) {
    process.send({ type: 'ready', file: fileOf(test.module), name: test.fullName });
  }
  onTestCaseResult(test) {
    const { state, errors = [] } = test.result();
    const ms = test.diagnostic()?.duration ?? 0;
    const [error] = errors;
    process.send({
      type: 'result',
      file: fileOf(test.module),
      name: test.fullName,
      state,
      ms,
      message: error && messageOf(error),
    });
  }
  onTestModuleEnd(module) {
    const [error] = [...module.errors(), ...suiteErrors(module)];
    process.send({ type: 'file', file: fileOf(module), message: error && messageOf(error) });
  }
  onTestRunEnd(_modules, [error]) {
    // An unhandled error names its test file, if vitest can determine the file.
    const from = error?.VITEST_TEST_PATH;
    process.send({ type: 'end', message: error && messageOf(error), from: from && path.relative(process.cwd(), from) });
  }
}

/** Errors thrown by the hooks of suites. */
function suiteErrors(module) {
  return [...module.children.allSuites()].flatMap((suite) => suite.errors());
}
