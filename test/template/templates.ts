import { expect } from 'vitest';
import { formatProblem, parseTemplate } from '../../src/template/parse-template.ts';
import type { TaskTemplate } from '../../src/template/task-template.ts';

/** The three lines that every template begins with; `steps:` comes on line 4. */
export const HEAD = 'name: demo\nnamespace: demo\nversion: "1.0.0"\n';

/** Returns a template of steps. A step is written as `child < parent parent`, and its type as `name:type`. */
export function stepsYaml(...lines: string[]): string {
  const steps = lines.map((line) => {
    const [head = '', parents = ''] = line.split('<').map((part) => part.trim());
    const [name, type = 'standard'] = head.split(':');
    const batch =
      unmarked(type) === 'batch_worker'
        ? `, batch_config: {batch_size: 1, parallelism: 1, cursor_field: id, worker_template: ${unmarked(name!)}, failure_strategy: isolate}`
        : '';
    return `  - {name: ${name}, handler: h, type: ${type}, depends_on: [${parents.split(' ').join(', ')}]${batch}}\n`;
  });
  return `${HEAD}steps:\n${steps.join('')}`;
}

/** Returns the problems of the text, one line for each. */
export function problemsOf(text: string): string[] {
  return parseTemplate(text, { file: 'demo.yaml' }).problems.map(formatProblem);
}

/** Returns the template of a text, which must have no errors or warnings. */
export function clean(text: string, environment?: string): TaskTemplate {
  const { template, problems } = parseTemplate(text, environment === undefined ? {} : { environment });
  expect(problems.map(formatProblem)).toEqual([]);
  return template!;
}

/** Returns the text without its marks `▸`. */
export function unmarked(text: string): string {
  return text.replaceAll('▸', '');
}

/** Returns the problems with the line and column of their marks. The first `▸` marks the first problem. */
export function atMarks(text: string, problems: readonly string[]): string[] {
  const marks = [...text.matchAll(/▸/g)].map(({ index }) => {
    const before = unmarked(text.slice(0, index)).split('\n');
    return `${before.length}:${before.at(-1)!.length + 1}`;
  });
  return problems.map((problem, at) => `demo.yaml:${marks[at]}: ${problem}`);
}

/** Returns the processor time in milliseconds. Unlike the elapsed time, it does not include other processes. */
export function cpuMs(work: () => void): number {
  const begun = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000;
}

/** Returns a template whose steps publish events, each given as name, schema and further fields. */
export function publishing(
  steps: Record<string, readonly (readonly [name: string, schema: object, more?: object])[]>,
  more: object = {},
): TaskTemplate {
  const declared = Object.entries(steps).map(([name, events]) => ({
    name,
    handler: 'h',
    publishes_events: events.map(([event, schema, rest]) => ({
      name: event,
      description: event.replace('.', ' '),
      schema,
      ...rest,
    })),
  }));
  // JSON is valid YAML.
  const text = JSON.stringify({ name: 'demo', namespace: 'demo', version: '1.0.0', steps: declared, ...more });
  const { template, problems } = parseTemplate(text);
  expect(problems.filter(({ severity }) => severity === 'error').map(formatProblem)).toEqual([]);
  return template!;
}
