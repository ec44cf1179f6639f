import { TaskerError } from '../errors.ts';

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PATH = Symbol('path');

/** A value of the output that is not known yet: only its path. */
type Recorded = { readonly [PATH]: readonly string[] };

/** Returns an object whose properties record the path by which they were read. `at`: the option that reads them. */
export function recordedPath(path: readonly string[], at: string): Recorded {
  const target = { [PATH]: path };
  return new Proxy(target, {
    get(_, key) {
      if (key === PATH) return path;
      if (typeof key === 'string' && key !== 'toJSON' && key !== 'then') return recordedPath([...path, key], at);
      throw notKnownYet(path, at);
    },
    ownKeys() {
      throw notKnownYet(path, at);
    },
  });
}

function notKnownYet(path: readonly string[], at: string): TaskerError {
  const what = path.join('.');
  return new TaskerError(
    'template_invalid',
    `${at}: ${what} is not known yet: ${at} only names values, such as ${what}.key; let a step compute others`,
  );
}

/**
 * Returns the expression for a recorded value. `at`: the option that returned it. `isSure`: whether the step that the path
 * begins with has a result in every complete task. Otherwise the value is null without it.
 */
export function expressionOf(value: unknown, at: string, isSure: (step: string) => boolean): string {
  if (typeof value !== 'object' || value === null || !(PATH in value)) {
    throw new TaskerError(
      'template_invalid',
      `${at} is not a value of a step or of the input; return values such as steps.NAME.key or input.key`,
    );
  }
  const path = (value as Recorded)[PATH];
  const [root, step] = path;
  if (root !== 'steps' || step === undefined || isSure(step)) return accessOf(path);
  const guards = path.slice(1).map((_, at) => testOf(path.slice(0, at + 2)));
  return `${guards.join(' && ')} ? dyn(${accessOf(path)}) : dyn(null)`;
}

function accessOf([root, ...keys]: readonly string[]): string {
  return keys.reduce((text, key) => text + (IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`), root!);
}

function testOf(path: readonly string[]): string {
  const key = path.at(-1)!;
  return IDENTIFIER.test(key) ? `has(${accessOf(path)})` : `${JSON.stringify(key)} in ${accessOf(path.slice(0, -1))}`;
}
