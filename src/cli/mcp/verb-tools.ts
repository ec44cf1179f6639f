import type { Query } from '../../client/index.ts';
import { encodedPath } from '../../client/path.ts';
import { CONTRACT } from '../../contract/contract.ts';
import { serverProcess } from '../../contract/process.ts';
import type { McpTool, Verb } from '../../contract/verb.ts';
import { TaskerError } from '../../errors.ts';
import { describeUnknown } from '../../model/near-names.ts';
import type { Permission } from '../../model/permissions.ts';
import { argumentName, argumentsOf, fieldsOf, operatorField, parametersIn } from './arguments.ts';
import { type ApiRequest, type Ask, type ReadTool, stepId, type WriteTool } from './tool.ts';

type Given = Readonly<Record<string, unknown>>;

/** The routes that previews read, by what a verb acts on. */
const PREVIEWS: Readonly<Partial<Record<Verb['on'], string>>> = {
  task: '/v1/tasks/{task_uuid}',
  schedule: '/v1/schedules/{name}',
  dead_letter: '/v1/dlq/entry/{dlq_entry_uuid}',
};

/** Items differ in length, so a page that is to fit has a little fewer of them. */
const SAFE = 0.8;

const VERBS = [serverProcess, ...Object.values(CONTRACT)].flatMap((verbs): Verb[] => Object.values(verbs));

/** The tools that are verbs of the contract, by their marks. The order is that of the contract. */
export const VERB_TOOLS: readonly (ReadTool | WriteTool)[] = VERBS.flatMap((verb) =>
  [verb.mcp ?? []].flat().map((mark) => toolOf(verb, mark)),
);

function toolOf(verb: Verb, mark: McpTool): ReadTool | WriteTool {
  const { name, description = `${verb.summary}.` } = mark;
  const described = { name, description, input: argumentsOf(verb, mark), advice: mark.advice };
  const permission = verb.permission as Permission;
  if (verb.method === 'get') {
    const rest = restOf(verb, mark, described.input);
    const needed = verb.permission === 'public' ? {} : { permission };
    return {
      ...described,
      ...needed,
      rest,
      run: async (ask, given) => ask(await requestOf(ask, verb, { mark, given })),
    };
  }
  if (mark.does === undefined) throw new Error(`the mark ${name} of ${verb.path} has no phrase \`does\``);
  const { does } = mark;
  const routes = [mark.preview ?? PREVIEWS[verb.on] ?? []].flat();
  const hasDryRun = 'dry_run' in fieldsOf(verb).body;
  return {
    ...described,
    permission,
    destructive: mark.destructive ?? false,
    says: (given: Given) => filled(does, given),
    target: (given: Given) => {
      const route = routes.find((one) => parametersIn(one).every((parameter) => given[parameter] !== undefined));
      return route === undefined ? undefined : readingOf(route, given);
    },
    pick: picked,
    ...(hasDryRun && {
      dryRun: (ask: Ask, given: Given, by: string) =>
        requestOf(ask, verb, { mark, given, by, extra: { dry_run: true } }),
    }),
    change: (ask: Ask, given: Given, by: string) => requestOf(ask, verb, { mark, given, by }),
  };
}

/** The values of a request. */
interface Values {
  mark: McpTool;
  given: Given;
  /** The operator, for verbs that record one. */
  by?: string;
  /** Fields that are not arguments. */
  extra?: Given;
}

/** Returns the request of a tool. A step that is given by its name is looked up. */
async function requestOf(ask: Ask, verb: Verb, { mark, given, by, extra }: Values): Promise<ApiRequest> {
  const fields = fieldsOf(verb, mark.fixed);
  const operator = operatorField(fields, mark);
  const values: Given = {
    ...mark.defaults,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...(operator !== undefined && { [operator]: by }),
    ...mark.fixed,
    ...extra,
  };
  const only = (part: object) =>
    Object.fromEntries(
      Object.keys(part).flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]] as const])),
    );
  const segments = await Promise.all(
    parametersIn(verb.path).map((parameter) =>
      parameter === 'step_uuid' ? stepId(ask, given as never) : values[argumentName(parameter)],
    ),
  );
  const hasBody = Object.keys(fields.body).length > 0;
  return {
    method: verb.method.toUpperCase() as ApiRequest['method'],
    path: encodedPath(verb.path, segments),
    query: only(fields.query) as Query,
    ...(hasBody && { body: only(fields.body) }),
  };
}

/** Returns the request for a route with a query, with its parameters filled in. */
function readingOf(route: string, given: Given): ApiRequest {
  const [place, query] = route.split('?') as [string, string | undefined];
  const parameters = parametersIn(query ?? '').map((name) => [name, given[name]] as const);
  return {
    method: 'GET',
    path: encodedPath(
      place,
      parametersIn(place).map((name) => given[name]),
    ),
    query: Object.fromEntries(parameters) as Query,
  };
}

interface Templates {
  templates?: { name: string }[];
}

/** Returns what a preview read. Of a list of templates, it shows only the versions of the template that was given. */
function picked(current: unknown, { namespace, name }: Given): unknown {
  const { templates } = current as Templates;
  if (!templates) return current;
  const found = templates.filter((one) => one.name === name);
  if (found.length > 0) return { templates: found };
  const names = [...new Set(templates.map((one) => one.name))];
  if (names.length === 0) throw new TaskerError('template_not_found', `namespace ${namespace} has no templates`);
  throw new TaskerError('template_not_found', describeUnknown('template', [String(name)], names));
}

function filled(text: string, given: Given): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(given[name] ?? ''));
}

/** Describes how to get the rest of a result that is too long. */
function restOf(verb: Verb, { rest }: McpTool, input: object): (given: Given, share: number) => string {
  if (rest !== undefined) return (given) => filled(rest, given);
  if (!('limit' in input)) {
    const route = verb.path.replace(/\{(\w+)\}/g, (_, name: string) => `{${argumentName(name)}}`);
    return (given) => `GET ${filled(route, given)} of the HTTP API returns everything`;
  }
  const next = 'cursor' in input ? ', and next_cursor as cursor for the next page' : '';
  return ({ limit }, share) => `pass limit: ${Math.max(1, Math.floor(Number(limit) * share * SAFE))}${next}`;
}

/** Returns the name of the tool that reads a route. */
export function readerOf({ path }: ApiRequest): string | undefined {
  if ('mistake' in path) return undefined;
  for (const verb of VERBS) {
    const mark = [verb.mcp ?? []].flat()[0];
    const isRead = verb.method === 'get' && mark !== undefined;
    if (isRead && new RegExp(`^${verb.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path.text)) return mark.name;
  }
  return undefined;
}
