import { stringify } from 'yaml';
import { pc } from '../../logging/terminal/colors.ts';
import { type JsonObject, type StepTemplate, type TaskTemplate, waitsByType } from '../../template/task-template.ts';
import { templateToJson } from '../../template/template-json.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields, spanOf, table } from '../show/text.ts';
import { findTemplate } from './find.ts';

/** `tasker template show`: prints a template with the overrides of the environment applied. */
export async function templateShow(wanted: string, options: GlobalOptions): Promise<void> {
  const template = await findTemplate(wanted, options);
  if (options.json) return printJson(templateToJson(template));
  const head = fields([
    ['template', `${template.namespace}/${template.name}@${template.version}`],
    ['description', template.description],
    ['identity', template.identityStrategy],
  ]);
  const steps = table(
    ['step', 'handler', 'depends on', 'type', 'attempts', 'backoff', 'timeout'],
    template.steps.map(rowOf),
  );
  const input = template.inputSchema ? [`${pc.dim('input')}\n${JSON.stringify(template.inputSchema, null, 2)}`] : [];
  print([head, steps, ...input, ...otherFields(template)].join('\n\n'));
}

function rowOf(step: StepTemplate): string[] {
  const { name, handler, dependencies, type, retry, timeoutSeconds } = step;
  if (waitsByType(type)) return [name, '', dependencies.join(', '), type, '', '', ''];
  const delays = retry.backoff === 'none' ? '' : `, ${spanOf(retry.backoffBaseMs)} to ${spanOf(retry.maxBackoffMs)}`;
  return [
    name,
    handler.callable,
    dependencies.join(', '),
    type,
    String(retry.maxAttempts),
    retry.retryable ? `${retry.backoff}${delays}` : 'not retryable',
    timeoutSeconds === null ? '' : `${timeoutSeconds} s`,
  ];
}

const SHOWN = ['name', 'namespace_name', 'version', 'description', 'identity_strategy', 'input_schema'];
const SHOWN_OF_RETRY = ['retryable', 'max_attempts', 'backoff', 'backoff_base_ms', 'max_backoff_ms'];
const SHOWN_OF_STEP = ['dependencies', 'type', 'retry', 'timeout_seconds'];

/** Returns the fields that neither the head nor the table shows, as YAML in the form of a template file. */
function otherFields(template: TaskTemplate): string[] {
  const { steps, system_dependencies: systems, ...json } = templateToJson(template);
  const details = (steps as JsonObject[])
    .map((step) => {
      const handler = without(['callable'], (step.handler ?? {}) as JsonObject);
      const retry = without(SHOWN_OF_RETRY, (step.retry ?? {}) as JsonObject);
      return { ...without(SHOWN_OF_STEP, { ...step, handler }), ...(Object.keys(retry).length > 0 && { retry }) };
    })
    .filter((step) => Object.keys(step).length > 1);
  const usesSystems = JSON.stringify(systems) !== '{"primary":"default","secondary":[]}';
  const others = without(SHOWN, { ...json, ...(usesSystems && { system_dependencies: systems! }), steps: details });
  return Object.keys(others).length > 0 ? [`${pc.dim('other fields')}\n${stringify(others).trimEnd()}`] : [];
}

/** Returns the fields that are neither in `names` nor empty. */
function without(names: readonly string[], fields: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) => !names.includes(name) && !/^(\[\]|\{\})$/.test(JSON.stringify(value)),
    ),
  );
}
