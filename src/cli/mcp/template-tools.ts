import { z } from 'zod';
import { closedObject } from '../../contract/schemas/closed-object.ts';
import { TaskerError } from '../../errors.ts';
import { RUN_IF } from '../../model/routes.ts';
import { handlersOf } from '../../template/generate/handler-stubs.ts';
import { zodTypesOf } from '../../template/generate/zod-types.ts';
import { mermaidOf } from '../../template/mermaid.ts';
import { mustParseTemplate } from '../../template/parse-template.ts';
import { STEP_TYPES } from '../../template/task-template.ts';
import { compareSchemas } from '../../template/tools/compare-schemas.ts';
import { diffTemplates } from '../../template/tools/diff-templates.ts';
import { FIELD_TYPE, generateTemplate } from '../../template/tools/generate-template.ts';
import { inspectTemplate, validateTemplate } from '../../template/tools/inspect-template.ts';
import { type ReadTool, readTool } from './tool.ts';

/** The limit of templates over HTTP. */
const LARGEST = 1_048_576;
/** The text of a template file. */
const yaml = z.string().max(LARGEST);

const output = closedObject({
  name: z.string().min(1),
  field_type: z
    .string()
    .regex(FIELD_TYPE, { error: 'must be string, integer, number, boolean, object, or one of these after array:' }),
  required: z.boolean().default(true),
  description: z.string().optional(),
});

/** The settings of a step, in the form of a template file, which is checked as a whole. */
const settings = (form: string) => z.record(z.string(), z.unknown()).optional().describe(form);

const step = closedObject({
  name: z.string(),
  description: z.string().optional(),
  type: z.enum(STEP_TYPES).default('standard'),
  handler: z.string().optional().describe('Default: namespace.step.'),
  depends_on: z.array(z.string()).default([]),
  run_if: z.enum(RUN_IF).optional(),
  join: z.literal('any').optional(),
  others: z.literal('continue').optional(),
  when: z.string().optional(),
  message: z.string().optional(),
  timer: settings('{for: "2h"}, or {until: {context: KEY}}'),
  signal: settings('{name|names, timeout?, count?, schema?}'),
  approval: settings('{title, assignees?, quorum?, form?, timeout?}'),
  template: z.string().optional(),
  context: settings('{KEY: EXPRESSION}'),
  on_failure: z.literal('continue').optional(),
  on_cancel: z.literal('abandon').optional(),
  batch_config: settings('{parallelism, cursor_field, worker_template, failure_strategy}'),
  retry: settings('{max_attempts?, retryable?, for?, rules?}'),
  timeout_seconds: z.int().optional(),
  timeout: z.string().optional(),
  wait: settings('{timeout?, max_calls?}'),
  for_each: settings('{elements, steps, key?, output?}'),
  outputs: z.array(output).default([]),
});

function schemasOf(text: string, wanted?: string) {
  const { steps } = mustParseTemplate(text);
  const found = steps.filter(({ name }) => wanted === undefined || name === wanted);
  if (found.length > 0) return found.map(({ name, resultSchema }) => ({ step: name, result_schema: resultSchema }));
  throw new TaskerError(
    'step_not_found',
    `step ${wanted} not found; the steps are ${steps.map(({ name }) => name).join(', ')}`,
  );
}

/** The tools that work on the text of a template. They use neither a database nor a server. */
export const TEMPLATE_TOOLS: readonly ReadTool[] = [
  readTool({
    name: 'template_validate',
    description: 'Checks a template, and returns findings with codes and lines.',
    input: { yaml },
    run: async (_ask, given) => validateTemplate(given.yaml),
  }),
  readTool({
    name: 'template_inspect',
    description: 'Returns the order of steps, roots and leaves, and the fields of schemas.',
    input: { yaml },
    run: async (_ask, given) => inspectTemplate(mustParseTemplate(given.yaml)),
  }),
  readTool({
    name: 'template_visualize',
    description: 'Returns a template as a Mermaid flowchart.',
    input: { yaml },
    run: async (_ask, given) => ({ text: mermaidOf(mustParseTemplate(given.yaml)) }),
  }),
  readTool({
    name: 'template_generate',
    description: 'Generates the YAML of a template.',
    input: {
      name: z.string(),
      namespace: z.string(),
      version: z.string().default('1.0.0'),
      description: z.string().optional(),
      steps: z.array(step).min(1).max(1_000),
    },
    run: async (_ask, given) => ({ yaml: generateTemplate(given) }),
  }),
  readTool({
    name: 'handler_generate',
    description: 'Returns zod schemas and handler stubs.',
    input: { yaml, scaffold: z.boolean().default(true).describe('False: untyped stubs.') },
    run: async (_ask, given) => {
      const template = mustParseTemplate(given.yaml);
      if (!given.scaffold) return { handlers: handlersOf(template) ?? null };
      const { text, names } = zodTypesOf([template]);
      const models = { names: names.get(template)!, from: `../models/${template.name}.js` };
      return { models: text, handlers: handlersOf(template, { models }) ?? null };
    },
  }),
  readTool({
    name: 'schema_inspect',
    description: 'Returns the result_schema of one step or all.',
    input: { yaml, step: z.string().optional() },
    run: async (_ask, given) => schemasOf(given.yaml, given.step),
  }),
  readTool({
    name: 'schema_compare',
    description: 'Checks whether a step returns the fields that another expects.',
    input: { yaml, producer: z.string(), consumer: z.string() },
    run: async (_ask, { yaml: text, producer, consumer }) => {
      const [made, wanted] = [producer, consumer].map((step) => schemasOf(text, step)[0]!.result_schema);
      return compareSchemas(made ?? {}, wanted ?? {});
    },
  }),
  readTool({
    name: 'schema_diff',
    description: 'Returns the changes between two templates, and whether they break readers of results.',
    input: { before: yaml, after: yaml },
    run: async (_ask, { before, after }) => diffTemplates(mustParseTemplate(before), mustParseTemplate(after)),
  }),
];
