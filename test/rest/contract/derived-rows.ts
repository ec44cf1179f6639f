import type { Operation } from '../../support/rest/contract.ts';
import type { World } from '../../support/rest/world.ts';
import { ACT, type Row, type Rows } from './row.ts';

/** An operation of the document. */
export interface Place {
  method: string;
  path: string;
  operation: Operation;
}

/** Returns the requests of operations that have no rows. */
export type Derive = (place: Place) => Promise<Rows | undefined>;

/**
 * Derives rows from the document. A read is requested for what the world contains, with each value of its parameters that
 * the schemas know, and with none. An act on a task without required fields is requested for a task that is made for it.
 * Undefined if the operation needs other values, such as the fields of a body.
 */
export async function deriverOf({ tasker, tasks, create }: World): Promise<Derive> {
  const steps = await tasker.getSteps(tasks.failed);
  const { stepUuid, name } = steps.find((step) => step.name === 'second')!;
  const [[event], [bulk], [worker], { entries }] = await Promise.all([
    tasker.events.list({ limit: 1 }),
    tasker.bulk.list(),
    tasker.listWorkers(),
    tasker.deadLetters.list({}, { limit: 1 }),
  ]);
  const things: Record<string, Record<string, string>> = {
    tasks: { uuid: tasks.failed, step_uuid: stepUuid, step: name },
    templates: { namespace: 'test', name: 'demo', version: '1.1.0' },
    namespaces: { namespace: 'test' },
    events: { event_id: event!.eventId },
    'bulk-acts': { id: String(bulk!.id) },
    workers: { name: worker!.name },
    dlq: { dlq_entry_uuid: entries[0]!.dlqEntryUuid, task_uuid: tasks.failed },
  };
  const paramsOf = (path: string): Record<string, string> | undefined => {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, one]) => one!);
    const known = things[path.split('/')[2] ?? ''] ?? {};
    return names.every((one) => known[one] !== undefined)
      ? Object.fromEntries(names.map((one) => [one, known[one]!]))
      : undefined;
  };
  return async ({ method, path, operation }) => {
    const params = paramsOf(path);
    const queries = (operation.parameters ?? []).filter((one) => one.in === 'query');
    if (!params || queries.some(({ required }) => required)) return undefined;
    if (method === 'GET') {
      // Other tasks than the one with most data, if the path names nothing within a task.
      const others = Object.keys(params).join() === 'uuid' ? [tasks.complete, tasks.retried, tasks.waiting] : [];
      return {
        ok: [
          { params },
          ...others.map((uuid) => ({ params: { uuid } })),
          ...valid(queries).map((query) => ({ params, query })),
        ],
        400: queries.flatMap((one) => invalid(one).map((query): Row => ({ params, query }))),
      };
    }
    if (Object.keys(params).join() !== 'uuid' || operation.requestBody?.required) return undefined;
    const own = { uuid: await create({ name: 'slow', reason: `for ${operation.operationId}` }) };
    return { ok: [{ params: own, body: ACT }], 400: [{ params: own, body: { by: 7 } }] };
  };
}

type Parameter = NonNullable<Operation['parameters']>[number];

/** The values of a parameter that its schema knows, as queries. */
function valid(queries: readonly Parameter[]): string[] {
  return queries.flatMap(({ name, schema }) => {
    if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `${name}=${String(value)}`);
    return schema['type'] === 'integer' ? [`${name}=${String(schema['minimum'] ?? 1)}`] : [];
  });
}

/** A query with a value that the schema of a parameter rejects. */
function invalid({ name, schema }: Parameter): string[] {
  return name === 'cursor' || schema['enum'] || schema['type'] === 'integer' ? [`${name}=odd-value`] : [];
}
