import pc from 'picocolors';
import type { StepTemplate, TaskTemplate } from '../../template/task-template.ts';
import { templateToJson } from '../../template/template-json.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields, table } from '../show/text.ts';
import { findTemplate } from './find.ts';

/** `tasker template show`: what a template says, overrides of the environment applied. */
export async function templateShow(wanted: string, options: GlobalOptions): Promise<void> {
  const template = await findTemplate(wanted, options);
  if (options.json) return printJson(templateToJson(template));
  print(describe(template));
}

function describe(template: TaskTemplate): string {
  const head = fields([
    ['template', `${template.namespace}/${template.name}@${template.version}`],
    ['description', template.description],
    ['identity', template.identityStrategy],
  ]);
  const steps = table(
    ['step', 'handler', 'depends on', 'type', 'attempts', 'backoff', 'timeout'],
    template.steps.map(rowOf),
  );
  const input = template.inputSchema ? `\n\n${pc.dim('input')}\n${JSON.stringify(template.inputSchema, null, 2)}` : '';
  return `${head}\n\n${steps}${input}`;
}

function rowOf(step: StepTemplate): string[] {
  return [
    step.name,
    step.handler.callable,
    step.dependencies.join(', '),
    step.type,
    String(step.retry.maxAttempts),
    step.retry.retryable ? step.retry.backoff : 'not retryable',
    step.timeoutSeconds === null ? '' : `${step.timeoutSeconds} s`,
  ];
}
