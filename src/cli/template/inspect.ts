import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { compareSchemas } from '../../template/tools/compare-schemas.ts';
import { diffTemplates } from '../../template/tools/diff-templates.ts';
import { inspectTemplate } from '../../template/tools/inspect-template.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { findTemplate } from './find.ts';

/** `tasker template inspect`: shows the order of the steps, and what their schemas declare. */
export async function templateInspect(wanted: string, options: GlobalOptions): Promise<void> {
  const found = inspectTemplate(await findTemplate(wanted, options));
  if (options.json) return printJson(found);
  const byName = new Map(found.steps.map((step) => [step.name, step]));
  const rows = found.execution_order.map((name) => {
    const { type, callable, depends_on, result_schema } = byName.get(name)!;
    return [name, type, callable, depends_on.join(', ') || '-', result_schema ? String(result_schema.fields) : '-'];
  });
  print(`${found.namespace}/${found.name}@${found.version}\n`);
  print(table(['step', 'type', 'callable', 'depends on', 'fields'], rows));
}

/** `tasker template compare`: checks whether the results of one step satisfy another. Exits with 1 if they do not. */
export async function templateCompare(
  wanted: string,
  producer: string,
  consumer: string,
  options: GlobalOptions,
): Promise<void> {
  const template = await findTemplate(wanted, options);
  const compared = compareSchemas(schemaOf(template, producer), schemaOf(template, consumer));
  if (options.json) printJson(compared);
  else {
    print(`${producer} → ${consumer}: ${compared.compatibility}`);
    for (const { code, field, message } of compared.findings) print(`${code} ${field}: ${message}`);
  }
  if (compared.compatibility === 'incompatible') thisRun().exitCode = EXIT.failed;
}

/** @throws TaskerError `step_not_found`, `bad_request` if the step has no schema */
export function schemaOf(template: TaskTemplate, name: string) {
  const step = template.steps.find((one) => one.name === name);
  if (!step) {
    const names = template.steps.map((one) => one.name).join(', ');
    throw new TaskerError('step_not_found', `template ${template.name} has no step ${name}; its steps are ${names}`);
  }
  if (step.resultSchema) return step.resultSchema;
  throw new TaskerError('bad_request', `step ${name} has no result_schema; add one to compare it`);
}

/**
 * `tasker template diff`: shows the changes between two versions. With `--check`, exits with 1 if a change is breaking.
 */
export async function templateDiff(
  before: string,
  after: string,
  options: GlobalOptions & { check?: boolean },
): Promise<void> {
  const diff = diffTemplates(await findTemplate(before, options), await findTemplate(after, options));
  if (options.json) printJson(diff);
  else {
    for (const { step, status } of diff.steps) print(`${status.padEnd(9)} ${step}`);
    for (const { code, breaking, message } of diff.findings)
      print(`${breaking ? 'breaking ' : '         '} ${code}: ${message}`);
  }
  if (options.check && diff.breaking) thisRun().exitCode = EXIT.failed;
}
