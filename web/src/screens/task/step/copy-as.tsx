import { ROUTES } from '../../../../../src/client/contract.ts';
import { encodedPath } from '../../../../../src/client/path.ts';
import { addressOf } from '../../../api/client.ts';
import { useMe } from '../../../api/me.tsx';
import type { StepResponse } from '../../../api/types.ts';
import { Button } from '../../../parts/controls.tsx';
import { useCopy } from '../../../parts/copy.ts';
import type { TaskData } from '../use-task.ts';
import { inputOf } from './step-io.tsx';

/** Copies a step as a command, as a request, and as a test that runs its handler with the same input. */
export function CopyAs({ data, step }: { data: TaskData; step: StepResponse }) {
  const { authenticated } = useMe();
  return (
    <section aria-label="Copy as" className="flex flex-wrap items-center gap-2 px-4 py-3">
      <span className="text-xs text-faint">Copy as</span>
      <CopyButton name="command" text={`npx tasker step get ${step.task_uuid} ${quoted(step.name)}`} />
      <CopyButton name="curl" text={curlOf(step, authenticated)} />
      <CopyButton name="test" text={testOf(data, step)} />
    </section>
  );
}

function CopyButton({ name, text }: { name: string; text: string }) {
  const { copied, copy } = useCopy(text);
  return (
    <Button
      className="h-7 px-2.5 text-xs"
      aria-label={`${copied ? 'Copied' : 'Copy'} as ${name}`}
      title={text.slice(0, 1000)}
      onClick={copy}
    >
      {name}
      {copied && <span aria-hidden="true"> ✓</span>}
    </Button>
  );
}

/** A word of a shell command. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function curlOf({ task_uuid: uuid, step_uuid: id }: StepResponse, authenticated: boolean): string {
  const url = quoted(addressOf(encodedPath(ROUTES.steps.get.path, [uuid, id])).href);
  return authenticated ? `curl -H "Authorization: Bearer $TASKER_API_KEY" ${url}` : `curl ${url}`;
}

function testOf(data: TaskData, step: StepResponse): string {
  const { context, results } = inputOf(data, step);
  const json = (value: unknown) => JSON.stringify(value, null, 2).replaceAll('\n', '\n    ');
  const message = step.results?.error?.message;
  const title =
    message === undefined ? `${step.handler} succeeds` : `${step.handler} succeeds; it failed with: ${message}`;
  return `import { runHandler } from 'tasker-core/testing';
import { expect, test } from 'vitest';
import { handler } from './handlers/…'; // the handler ${oneLine(step.handler)}

test(${JSON.stringify(title)}, async () => {
  const result = await runHandler(handler, {
    inputData: ${json(context)},
    dependencyResults: ${json(results)},
  });
  expect(result.errorMessage).toBeUndefined();
  expect(result.success).toBe(true);
});
`;
}

/** Returns a string on one line, so that it cannot end a line comment. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
