import type { z } from 'zod';
import type { Query } from '../../client/index.ts';
import { type Path, path } from '../../client/path.ts';
import { TaskerError } from '../../errors.ts';
import type { Permission } from '../../model/permissions.ts';
import type { Arguments } from './arguments.ts';

/** A request to the HTTP API. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: Path;
  query?: Query;
  body?: unknown;
}

/** Sends a request, and returns its JSON. Plain text is returned as `{ "text": … }`. */
export type Ask = (request: ApiRequest) => Promise<unknown>;

/** The checked arguments of a tool. */
// biome-ignore lint/suspicious/noExplicitAny: a table of tools has schemas of all shapes; each tool has its own types.
type Given = any;

/** The properties of every tool. */
interface Described {
  name: string;
  description: string;
  input: Arguments;
  /** The permission that the caller of a server needs. Undefined means none. */
  permission?: Permission;
  /** Advice in errors of the HTTP API, and the advice to the callers of the tool. */
  advice?: Readonly<Record<string, string>> | undefined;
}

/** The facts about the process that runs a tool. */
export interface Connection {
  /** The address of the API, without secrets. */
  place: string;
  mayWrite: boolean;
}

/** A tool that only reads. */
export interface ReadTool extends Described {
  run(ask: Ask, given: Given, connection: Connection): Promise<unknown>;
  /** How to get the rest of a result that was too long. `share`: the part that fits, between 0 and 1. */
  rest?(given: Given, share: number): string;
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
  /** Returns the part of what that request read that the change is about. Default: all of it. */
  pick?(current: unknown, given: Given): unknown;
  /** The change without its effect, for the preview. Most changes have none. */
  dryRun?(ask: Ask, given: Given, by: string): Promise<ApiRequest>;
  /** The change. `by`: the operator, for servers without authentication. */
  change(ask: Ask, given: Given, by: string): Promise<ApiRequest>;
}

/** Returns whether a tool changes something. */
export function isWriteTool(tool: ReadTool | WriteTool): tool is WriteTool {
  return 'change' in tool;
}

/** Returns a tool unchanged, and infers the types of its arguments. */
export function readTool<S extends Arguments>(
  tool: Described & {
    input: S;
    run(ask: Ask, given: z.infer<z.ZodObject<S>>, connection: Connection): Promise<unknown>;
  },
): ReadTool {
  return tool;
}

/** Returns a tool unchanged, and infers the types of its arguments. */
export function writeTool<S extends Arguments>(
  tool: Omit<WriteTool, 'input' | 'says' | 'target' | 'pick' | 'dryRun' | 'change'> & {
    input: S;
    says(given: z.infer<z.ZodObject<S>>): string;
    target(given: z.infer<z.ZodObject<S>>): ApiRequest;
    change(ask: Ask, given: z.infer<z.ZodObject<S>>, by: string): Promise<ApiRequest>;
  },
): WriteTool {
  return tool;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-/i;

/** Looks up a step by its name or UUID, and returns its UUID, for routes that take no names. */
export async function stepId(ask: Ask, { task_uuid, step }: { task_uuid: string; step: string }): Promise<string> {
  if (UUID.test(step)) return step;
  const steps = (await ask({ method: 'GET', path: path`/v1/tasks/${task_uuid}/workflow_steps` })) as {
    name: string;
    step_uuid: string;
  }[];
  const found = steps.find(({ name }) => name === step);
  if (found) return found.step_uuid;
  const names = steps.map(({ name }) => name);
  const shown = names.length > 20 ? [...names.slice(0, 20), '…'] : names;
  throw new TaskerError('step_not_found', `task ${task_uuid} has no step ${step}; its steps are ${shown.join(', ')}`);
}
