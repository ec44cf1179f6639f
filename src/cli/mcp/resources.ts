import type { McpServer, ResourceTemplate as Template } from '@modelcontextprotocol/sdk/server/mcp.js';
import { path } from '../../client/path.ts';
import { TaskerError } from '../../errors.ts';
import { answerText } from './answer.ts';
import type { Backend } from './backend.ts';
import { packagedDocs } from './docs-search.ts';

interface Templates {
  templates: { namespace: string; name: string; version: string; description: string | null }[];
}
interface Tasks {
  tasks: { task_uuid: string; namespace: string; name: string; version: string; status: string }[];
}

const JSON_TYPE = 'application/json';
/** Lists of resources have no filter, so only the newest tasks are listed. */
const LISTED_TASKS = 50;
const LISTED_TEMPLATES = 500;

/** Offers templates, tasks and the pages of the documentation as resources. */
export function addResources(server: McpServer, ResourceTemplate: typeof Template, { ask }: Backend): void {
  const read = async (uri: URL, request: Parameters<typeof ask>[0]) => ({
    contents: [{ uri: uri.href, mimeType: JSON_TYPE, text: answerText(await ask(request)) }],
  });
  const listTemplates = async () => {
    const { templates } = (await ask({ method: 'GET', path: path`/v1/templates` })) as Templates;
    const resources = templates.slice(0, LISTED_TEMPLATES).map(({ namespace, name, version, description }) => ({
      uri: `tasker://templates/${[namespace, name, version].map(encodeURIComponent).join('/')}`,
      name: `${namespace}/${name}@${version}`,
      mimeType: JSON_TYPE,
      ...(description !== null && { description }),
    }));
    return { resources };
  };
  const listTasks = async () => {
    const page = await ask({ method: 'GET', path: path`/v1/tasks`, query: { limit: LISTED_TASKS } });
    const resources = (page as Tasks).tasks.map(({ task_uuid, namespace, name, version, status }) => ({
      uri: `tasker://tasks/${task_uuid}`,
      name: `${namespace}/${name}@${version} ${task_uuid}`,
      description: status,
      mimeType: JSON_TYPE,
    }));
    return { resources };
  };
  const part = (value: string | string[] | undefined) => decodeURIComponent(String(value));
  server.registerResource(
    'template',
    new ResourceTemplate('tasker://templates/{namespace}/{name}/{version}', { list: listTemplates }),
    { description: 'A registered template.', mimeType: JSON_TYPE },
    (uri, { namespace, name, version }) =>
      read(uri, {
        method: 'GET',
        path: path`/v1/templates/${part(namespace)}/${part(name)}/${part(version)}/source`,
        query: { format: 'json' },
      }),
  );
  server.registerResource(
    'task',
    new ResourceTemplate('tasker://tasks/{task_uuid}', { list: listTasks }),
    { description: 'A task with its steps.', mimeType: JSON_TYPE },
    (uri, { task_uuid }) => read(uri, { method: 'GET', path: path`/v1/tasks/${part(task_uuid)}` }),
  );
  server.registerResource(
    'docs',
    new ResourceTemplate('tasker://docs/{+page}', { list: undefined }),
    { description: 'A page of the documentation, which search_docs finds.', mimeType: 'text/markdown' },
    (uri, { page }) => {
      const found = packagedDocs().find(({ path: file }) => file === `docs/${part(page)}`);
      if (!found)
        throw new TaskerError('bad_request', `the documentation has no page docs/${part(page)}; use search_docs`);
      return { contents: [{ uri: uri.href, mimeType: 'text/markdown', text: found.text }] };
    },
  );
}
