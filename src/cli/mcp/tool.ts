import { z } from 'zod';
import type { Query } from '../../client/index.ts';
import { type Path, path } from '../../client/path.ts';
import type { Caller } from '../../rest/caller.ts';

/** A request to the HTTP API. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: Path;
  query?: Query;
  body?: unknown;
}

/** Sends a request, and returns its JSON. Plain text is returned as `{ "text": … }`. */
export type Ask = (request: ApiRequest) => Promise<unknown>;

/** A permission that a credential can have. */
type Permission = Parameters<Caller['allows']>[0];
type Shape = Readonly<Record<string, z.ZodType>>;
/** The checked arguments of a tool. */
// biome-ignore lint/suspicious/noExplicitAny: a table of tools has schemas of all shapes; each tool has its own types.
type Given = any;

/** The properties of every tool. */
interface Described {
  name: string;
  description: string;
  input: Shape;
  /** The permission that the caller of a server needs. Undefined means none. */
  permission?: Permission;
}

/** A tool that only reads. */
export interface ReadTool extends Described {
  run(ask: Ask, given: Given): Promise<unknown>;
}

/** A tool that changes something, after a preview. */
export interface WriteTool extends Described {
  permission: Permission;
  /** Whether the change ends running work or cannot be undone. */
  destructive: boolean;
  /** Describes the effect of the change in a phrase. */
  says(given: Given): string;
  /** The request that reads the object to be changed, for the preview. Undefined if the object does not exist yet. */
  target(given: Given): ApiRequest | undefined;
  /** The change. `by`: the operator, for servers without authentication. */
  change(ask: Ask, given: Given, by: string): Promise<ApiRequest>;
}

/** Returns a tool unchanged, and infers the types of its arguments. */
export function readTool<S extends Shape>(
  tool: Described & { input: S; run(ask: Ask, given: z.infer<z.ZodObject<S>>): Promise<unknown> },
): ReadTool {
  return tool;
}

/** Returns a tool that sends one GET request. Arguments that are not in the path become its query. */
export function getTool<S extends Shape>(
  tool: Described & { input: S; at(given: z.infer<z.ZodObject<S>>): Path; fixed?: Query },
): ReadTool {
  const { at, fixed, ...rest } = tool;
  const inPath = new Set(['task_uuid', 'step']);
  return {
    ...rest,
    run: (ask, given: Record<string, Query[string]>) => {
      const query = Object.entries(given).filter(([name]) => !inPath.has(name));
      return ask({ method: 'GET', path: at(given as never), query: { ...Object.fromEntries(query), ...fixed } });
    },
  };
}

/** Returns a tool unchanged, and infers the types of its arguments. */
export function writeTool<S extends Shape>(
  tool: Omit<WriteTool, 'input' | 'says' | 'target' | 'change'> & {
    input: S;
    says(given: z.infer<z.ZodObject<S>>): string;
    target(given: z.infer<z.ZodObject<S>>): ApiRequest | undefined;
    change(ask: Ask, given: z.infer<z.ZodObject<S>>, by: string): Promise<ApiRequest> | ApiRequest;
  },
): WriteTool {
  return { ...tool, change: async (ask, given, by) => tool.change(ask, given, by) };
}

export const TASK = z.string().describe('The UUID of the task.');
export const STEP = z.string().describe('The name or UUID of the step.');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-/i;

/** Looks up a step by its name or UUID, and returns its path. */
export async function stepPath(ask: Ask, { task_uuid, step }: { task_uuid: string; step: string }): Promise<string> {
  if (UUID.test(step)) return step;
  const steps = (await ask({ method: 'GET', path: path`/v1/tasks/${task_uuid}/workflow_steps` })) as {
    name: string;
    step_uuid: string;
  }[];
  const found = steps.find(({ name }) => name === step);
  if (found) return found.step_uuid;
  const names = steps.map(({ name }) => name);
  const shown = names.length > 20 ? [...names.slice(0, 20), '…'] : names;
  throw new Error(`task ${task_uuid} has no step ${step}; its steps are ${shown.join(', ')}`);
}
