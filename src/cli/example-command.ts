import type { TaskTemplate } from '../template/task-template.ts';
import { asObject, exampleObject } from '../template/tools/example-value.ts';

/** Returns a shell command that creates a task from this template. */
export function exampleCommand(template: TaskTemplate): string {
  const context = exampleContext(template);
  const input =
    Object.keys(context).length === 0 ? '' : ` --input '${JSON.stringify(context).replaceAll("'", "'\\''")}'`;
  const key = template.identityStrategy === 'caller_provided' ? ' --idempotency-key example-1' : '';
  return `npx tasker task create ${template.namespace}/${template.name}@${template.version}${input}${key}`;
}

/** Returns a context with the fields that the input schema requires. The values are a best effort to match the schema. */
function exampleContext({ inputSchema, defaultContext }: TaskTemplate): Record<string, unknown> {
  const schema = asObject(inputSchema);
  return exampleObject(Array.isArray(schema.required) ? schema : { ...schema, required: allOf(schema) }, 0, {
    ...defaultContext,
  });
}

function allOf({ properties }: Record<string, unknown>): string[] {
  return Object.keys(asObject(properties));
}
