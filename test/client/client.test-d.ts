import { expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  type Client,
  createClient,
  type NapiClientResult,
  TaskerClient,
  type TaskListQuery,
  type TaskRequestBody,
  type TaskResponse,
} from '../../src/client/index.ts';
import type { CheckedNewTask } from '../../src/client/new-task.ts';
import type { TaskRequestSchema, TaskResponseSchema } from '../../src/contract/schemas/tasks.ts';
import { type FfiLayer, workflow } from '../../src/index.ts';

/** Types in the form that `tasker generate types` writes. */
interface Types {
  'shop/order@1.0.0': { namespace: 'shop'; name: 'order'; version: '1.0.0'; active: true; context: { id: string } };
  'default/hello@1.0.0': {
    namespace: 'default';
    name: 'hello';
    version: '1.0.0';
    active: true;
    context: Record<string, unknown>;
  };
}

declare function create<N extends string = string, S extends string = never, V extends string = never>(
  request: CheckedNewTask<N, S, V, Types>,
): void;
declare const client: Client;
declare const text: string;

it('requests and responses have the types of the schemas that validate them', () => {
  expectTypeOf<z.input<typeof TaskRequestSchema>>().toExtend<TaskRequestBody>();
  // The client does not change arrays, so it takes readonly ones too.
  expectTypeOf<Omit<TaskRequestBody, 'tags'>>().toEqualTypeOf<Omit<z.input<typeof TaskRequestSchema>, 'tags'>>();
  expectTypeOf<z.output<typeof TaskResponseSchema>>().toExtend<TaskResponse>();
  expectTypeOf<TaskResponse>().toExtend<z.output<typeof TaskResponseSchema>>();
  expectTypeOf(client.tasks.get).returns.resolves.toEqualTypeOf<TaskResponse>();
  expectTypeOf<TaskListQuery['per_page']>().toEqualTypeOf<number | undefined>();
  expectTypeOf(client.tasks.listAll()).toExtend<AsyncIterable<TaskResponse>>();
  // @ts-expect-error: a misspelt filter
  void client.tasks.list({ namespac: 'shop' });
  // @ts-expect-error: a misspelt option
  createClient({ apikey: 'k' });
});

it('the output of a workflow that runs has its type', () => {
  const typed = workflow('shop/typed@1.0.0', { input: z.object({ n: z.number() }) })
    .step('add', { run: ({ input }) => ({ sum: input.n + 1 }) })
    .output(({ steps }) => ({ sum: steps.add.sum }));
  expectTypeOf(() => client.run(typed, { n: 1 }, { timeoutMs: 5 })).returns.resolves.toEqualTypeOf<{ sum: number }>();
  void (() => client.tasks.create(typed.request({ n: 1 })));
  void (() => client.tasks.create(typed, { n: 1 }, { priority: 3, returnExisting: true }));
  // @ts-expect-error: n is a number
  void (() => client.tasks.create(typed, { n: 'one' }));
  // @ts-expect-error: n is a number
  void (() => client.run(typed, { n: 'one' }));
  // @ts-expect-error: a misspelt option
  void (() => client.run(typed, { n: 1 }, { timeout: 5 }));
});

it('a request for a known template requires its context', () => {
  create({ namespace: 'shop', name: 'order', context: { id: 'O-7' }, source_system: 'shop' });
  create({ name: 'hello' });
  create({ name: text, context: {} });
  // @ts-expect-error: id is a string
  create({ namespace: 'shop', name: 'order', context: { id: 7 } });
  // @ts-expect-error: the context is missing
  create({ namespace: 'shop', name: 'order' });
  // @ts-expect-error: a misspelt field
  create({ namespace: 'shop', name: 'order', context: { id: 'O-7' }, idempotencyKey: 'k' });
});

it('a program without generated types creates tasks of any template', () => {
  void client.tasks.create({ name: 'anything', context: { a: 1 } });
  void client.tasks.create({ name: text, namespace: text, version: text });
  // @ts-expect-error: the name is missing
  void client.tasks.create({ context: {} });
});

it('the methods of the earlier client return promises, or values for a synchronous module', () => {
  const old = new TaskerClient({} as FfiLayer);
  expectTypeOf(old.getTask('')).resolves.toEqualTypeOf<TaskResponse>();
  expectTypeOf(old.cancelTask('')).resolves.toBeVoid();
  const call = (): NapiClientResult => ({ success: true });
  const module = {
    clientCreateTask: call,
    clientGetTask: call,
    clientListTasks: call,
    clientCancelTask: call,
    clientListTaskSteps: call,
    clientGetStep: call,
    clientGetStepAuditHistory: call,
    clientHealthCheck: call,
  };
  const now = new TaskerClient({ getModule: () => module });
  expectTypeOf(now.getTask('')).toEqualTypeOf<TaskResponse>();
});
