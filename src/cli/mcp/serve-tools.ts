import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { TaskerClientError } from '../../client/index.ts';
import { path } from '../../client/path.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { describeUnknown } from '../../model/near-names.ts';
import { problemsOf, problemText } from '../../rest/refuse-invalid.ts';
import { READ_TOOLS, WRITE_TOOLS } from './all-tools.ts';
import { answerText, bounded, PREVIEW_CHARACTERS } from './answer.ts';
import { schemaOf } from './arguments.ts';
import type { Backend } from './backend.ts';
import { isWriteTool, type ReadTool, type WriteTool } from './tool.ts';
import { readerOf } from './verb-tools.ts';

/** The options of {@link addTools}. */
export interface Serving {
  backend: Backend;
  mayWrite: boolean;
  /** The operator of actions on a server without authentication. */
  by: string;
}

/** The messages of the protocol about tools. The SDK is optional, so it is imported only when it is needed. */
export interface ToolMessages {
  ListToolsRequestSchema: typeof ListToolsRequestSchema;
  CallToolRequestSchema: typeof CallToolRequestSchema;
}

interface Me {
  subject: string | null;
  permissions: readonly string[] | null;
  namespaces: readonly string[] | null;
}

type Tool = ReadTool | WriteTool;
type Given = Record<string, unknown>;

/** The preview and the instructions of the server describe it. */
const confirm = z.boolean().default(false);

/** Adds the tools to a server. Tools that write are added only if writing is allowed. */
export function addTools(server: Server, messages: ToolMessages, serving: Serving): void {
  const { mayWrite } = serving;
  const tools = new Map<string, Tool>();
  for (const tool of [...READ_TOOLS, ...(mayWrite ? WRITE_TOOLS : [])]) tools.set(tool.name, tool);
  // `McpServer.registerTool` adds 100 characters to each schema, and describes invalid arguments as a dump of zod.
  server.registerCapabilities({ tools: {} });
  server.setRequestHandler(messages.ListToolsRequestSchema, () => ({ tools: [...tools.values()].map(listed) }));
  server.setRequestHandler(messages.CallToolRequestSchema, async ({ params }) => {
    const tool = tools.get(params.name);
    try {
      if (!tool) throw unknownTool(params.name, tools);
      return { content: [{ type: 'text', text: await resultOf(tool, params.arguments ?? {}, serving) }] };
    } catch (error) {
      return { content: [{ type: 'text', text: answerText(refusal(error, tool)) }], isError: true };
    }
  });
}

const inputOf = (tool: Tool) => (isWriteTool(tool) ? { ...tool.input, confirm } : tool.input);

/** Returns a tool as the list of tools has it. Hints that have their default are left out. */
function listed(tool: Tool) {
  const { name, description } = tool;
  const annotations = isWriteTool(tool) ? !tool.destructive && { destructiveHint: false } : { readOnlyHint: true };
  return { name, description, inputSchema: schemaOf(inputOf(tool)), ...(annotations && { annotations }) };
}

function unknownTool(name: string, tools: ReadonlyMap<string, Tool>): TaskerError {
  if (WRITE_TOOLS.some((tool) => tool.name === name)) {
    return new TaskerError('forbidden', `${name} changes something, and tasker mcp was started without --allow-writes`);
  }
  return new TaskerError('bad_request', describeUnknown('tool', [name], [...tools.keys()]));
}

async function resultOf(tool: Tool, raw: Given, { backend, mayWrite, by }: Serving): Promise<string> {
  const input = inputOf(tool);
  const parsed = z.strictObject(input).safeParse(raw);
  if (!parsed.success) {
    const problems = problemsOf(parsed.error.issues, { what: 'argument', known: Object.keys(input) });
    throw new TaskerError('bad_request', problems.map(problemText).join('; '));
  }
  if (!isWriteTool(tool)) {
    const result = await tool.run(backend.ask, parsed.data, { place: backend.place, mayWrite });
    return answerText(result, { rest: tool.rest && ((share) => tool.rest!(parsed.data, share)) });
  }
  const { confirm: isConfirmed, ...given } = parsed.data as Given;
  const act = { given, by };
  return answerText(await (isConfirmed === true ? execute(backend, tool, act) : preview(backend, tool, act)));
}

interface Act {
  given: Given;
  by: string;
}

async function preview(backend: Backend, tool: WriteTool, act: Act): Promise<object> {
  const { ask, place } = backend;
  const me = (await ask({ method: 'GET', path: path`/v1/me` })) as Me;
  if (me.permissions && !me.permissions.includes(tool.permission)) throw new Denied(tool.permission);
  const { namespace } = act.given;
  if (me.namespaces && typeof namespace === 'string' && !me.namespaces.includes(namespace)) {
    const allowed = me.namespaces.join(', ') || 'no namespace';
    throw new TaskerError('namespace_not_found', `namespace ${namespace} not found; the caller may use ${allowed}`);
  }
  const details = await detailsOf(backend, tool, act);
  return {
    action: tool.name,
    status: 'preview',
    description: `This would ${tool.says(act.given)} on ${place}, as ${me.subject ?? act.by}. Nothing has changed yet.`,
    details: {
      arguments: bounded(act.given, { most: PREVIEW_CHARACTERS, rest: () => 'all of it is sent' }),
      ...details,
    },
    instruction:
      'Show this to the user. If the user agrees, call the tool again with the same arguments and confirm: true.',
  };
}

/** Returns what a preview shows besides the arguments: the outcome of a dry run, or the current state. */
async function detailsOf({ ask }: Backend, tool: WriteTool, { given, by }: Act): Promise<object> {
  if (tool.dryRun) {
    const rest = () => 'all of it happens';
    return { dry_run: bounded(await ask(await tool.dryRun(ask, given, by)), { most: PREVIEW_CHARACTERS, rest }) };
  }
  const target = tool.target(given);
  if (!target) return {};
  try {
    const reader = readerOf(target);
    const rest = reader === undefined ? undefined : () => `${reader} returns more of it`;
    const read = await ask(target);
    return { current: bounded(tool.pick ? tool.pick(read, given) : read, { most: PREVIEW_CHARACTERS, rest }) };
  } catch (error) {
    // The change itself may still be permitted.
    if (!(error instanceof TaskerClientError) || error.status !== 403) throw error;
    return { current: { not_shown: error.message } };
  }
}

async function execute({ ask }: Backend, tool: WriteTool, { given, by }: Act): Promise<object> {
  const result = await ask(await tool.change(ask, given, by));
  return {
    action: tool.name,
    status: 'executed',
    result: bounded(result, { rest: () => 'the change was made, and a tool that reads returns the rest' }),
  };
}

/** A preview of a change that the caller may not make. */
class Denied extends Error {
  constructor(permission: string) {
    super(`the caller does not have the permission ${permission}`);
  }
}

/** Converts an error into a tool result. */
function refusal(error: unknown, tool: Tool | undefined): object {
  if (tool && (error instanceof Denied || (error instanceof TaskerClientError && error.status === 403))) {
    return {
      error: 'permission_denied',
      message: error.message,
      tool: tool.name,
      required_permission: tool.permission ?? null,
      hint: 'start tasker mcp with an API key that has this permission; `tasker auth key create` makes one',
      valid: false,
    };
  }
  const known = error instanceof TaskerClientError;
  const code = known ? error.code.toLowerCase() : ((error as { code?: unknown }).code ?? 'error');
  const details = known && Object.keys(error.details).length > 0 ? { details: error.details } : {};
  return { error: code, message: forTool(messageOf(error), tool), ...details, valid: false };
}

/** Returns the message of an error with the advice that the callers of a tool can follow. */
function forTool(message: string, { advice = {} }: Partial<Tool> = {}): string {
  return Object.entries(advice).reduce((text, [http, own]) => text.replace(http, own), message);
}
