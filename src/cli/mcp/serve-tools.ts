import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { TaskerClientError } from '../../client/index.ts';
import { path } from '../../client/path.ts';
import { messageOf } from '../../errors.ts';
import { answerText } from './answer.ts';
import type { Backend } from './backend.ts';
import { READ_TOOLS } from './read-tools.ts';
import { TEMPLATE_TOOLS } from './template-tools.ts';
import type { ReadTool, WriteTool } from './tool.ts';
import { WRITE_TOOLS } from './write-tools.ts';

/** The options of {@link addTools}. */
export interface Serving {
  backend: Backend;
  mayWrite: boolean;
  /** The operator of actions on a server without authentication. */
  by: string;
}

interface Me {
  subject: string | null;
  permissions: readonly string[] | null;
}

const confirm = z.boolean().default(false).describe('False returns only a preview. True makes the change.');

/** Adds the tools to a server. Tools that write are added only if writing is allowed. */
export function addTools(server: McpServer, { backend, mayWrite, by }: Serving): void {
  const { ask, place } = backend;
  const add = (
    tool: ReadTool | WriteTool,
    annotations: object,
    run: (given: Record<string, unknown>) => Promise<unknown>,
  ) => {
    const { name, description, input } = tool;
    server.registerTool(name, { description, inputSchema: z.strictObject(input), annotations }, async (given) => {
      try {
        return { content: [{ type: 'text', text: answerText(await run(given)) }] };
      } catch (error) {
        return { content: [{ type: 'text', text: answerText(refusal(error, tool)) }], isError: true };
      }
    });
  };
  const connection: ReadTool = {
    name: 'connection_status',
    description: 'Returns the address of tasker, the identity of the caller, and its permissions.',
    input: {},
    run: async () => ({ place, writes_allowed: mayWrite, caller: await ask({ method: 'GET', path: path`/v1/me` }) }),
  };
  for (const tool of [connection, ...TEMPLATE_TOOLS, ...READ_TOOLS]) {
    add(tool, { readOnlyHint: true, openWorldHint: false }, (given) => tool.run(ask, given));
  }
  if (!mayWrite) return;
  for (const tool of WRITE_TOOLS) {
    const { destructive: destructiveHint } = tool;
    const annotations = { readOnlyHint: false, destructiveHint, openWorldHint: false };
    const withConfirm = { ...tool, input: { ...tool.input, confirm } };
    add(withConfirm, annotations, ({ confirm: isConfirmed, ...given }) =>
      isConfirmed === true ? execute(backend, tool, { given, by }) : preview(backend, tool, { given, by }),
    );
  }
}

interface Act {
  given: Record<string, unknown>;
  by: string;
}

async function preview({ ask, place }: Backend, tool: WriteTool, { given, by }: Act): Promise<object> {
  const target = tool.target(given);
  const [me, current] = await Promise.all([
    ask({ method: 'GET', path: path`/v1/me` }) as Promise<Me>,
    target ? ask(target) : undefined,
  ]);
  if (me.permissions && !me.permissions.includes(tool.permission)) throw new Denied(tool.permission);
  return {
    action: tool.name,
    status: 'preview',
    description: `This would ${tool.says(given)} on ${place}, as ${me.subject ?? by}. Nothing has changed yet.`,
    details: { arguments: given, current },
    instruction:
      'Show this to the user. If the user agrees, call the tool again with the same arguments and confirm: true.',
  };
}

async function execute({ ask }: Backend, tool: WriteTool, { given, by }: Act): Promise<object> {
  const result = await ask(await tool.change(ask, given, by));
  return { action: tool.name, status: 'executed', result };
}

/** A preview of a change that the caller may not make. */
class Denied extends Error {}

/** Converts an error into a tool result. */
function refusal(error: unknown, { name, permission }: ReadTool | WriteTool): object {
  if (error instanceof Denied || (error instanceof TaskerClientError && error.status === 403)) {
    return {
      error: 'permission_denied',
      message: error.message,
      tool: name,
      required_permission: permission ?? null,
      hint: 'start tasker mcp with an API key that has this permission; `tasker auth key create` makes one',
      valid: false,
    };
  }
  const known = error instanceof TaskerClientError;
  const code = known ? error.code.toLowerCase() : ((error as { code?: unknown }).code ?? 'error');
  const details = known && Object.keys(error.details).length > 0 ? { details: error.details } : {};
  return { error: code, message: messageOf(error), ...details, valid: false };
}
