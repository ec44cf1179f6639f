import type { CallOptions } from './client-options.ts';
import {
  type AnalyticsVerbs,
  type ApprovalsVerbs,
  type AuditVerbs,
  type BulkActsVerbs,
  type CompletionsVerbs,
  type CredentialsVerbs,
  type DeadLettersVerbs,
  type EventsVerbs,
  type InstallationVerbs,
  type NamespacesVerbs,
  ROUTES,
  type Route,
  type SchedulesVerbs,
  type SignalsVerbs,
  type StepsVerbs,
  type TasksVerbs,
  type TemplatesVerbs,
  type WorkersVerbs,
} from './contract.ts';
import { items } from './pages.ts';
import { encodedPath } from './path.ts';
import type { Send } from './send.ts';

/** The verbs that need no code of their own: their arguments are the parameters of the path, then the query or the body. */
export interface DerivedVerbs {
  tasks: TasksVerbs;
  steps: StepsVerbs;
  bulkActs: BulkActsVerbs;
  signals: SignalsVerbs;
  approvals: ApprovalsVerbs;
  completions: CompletionsVerbs;
  schedules: SchedulesVerbs;
  templates: TemplatesVerbs;
  namespaces: NamespacesVerbs;
  deadLetters: DeadLettersVerbs;
  events: EventsVerbs;
  workers: WorkersVerbs;
  installation: InstallationVerbs;
  audit: AuditVerbs;
  analytics: AnalyticsVerbs;
  credentials: CredentialsVerbs;
}

type Method = (...given: unknown[]) => unknown;

/** Creates the verbs from the routes of the contract. */
export function derivedVerbs(send: Send): DerivedVerbs {
  const groupOf = (routes: Record<string, Route>) =>
    Object.fromEntries(
      Object.entries(routes).flatMap(([name, route]): [string, Method][] => {
        const one = methodOf(send, route);
        return route.items === undefined
          ? [[name, one]]
          : [
              [name, one],
              [`${name}All`, allOf(route, one)],
            ];
      }),
    );
  const groups = Object.entries<Record<string, Route>>(ROUTES).map(([noun, routes]) => [noun, groupOf(routes)]);
  return Object.fromEntries(groups) as DerivedVerbs;
}

const countOf = (path: string) => path.split('{').length - 1;

function methodOf(send: Send, { method, path, takes }: Route): Method {
  const count = countOf(path);
  return (...given) => {
    const options = given[takes ? count + 1 : count] as CallOptions | undefined;
    const what = takes ? (given[count] as object | undefined) : undefined;
    return send(
      method,
      encodedPath(
        path,
        Array.from({ length: count }, (_, at) => given[at]),
      ),
      what,
      options,
    );
  };
}

/** Returns a method that reads all pages. It takes the arguments of the method that reads one. */
function allOf({ path, items: key }: Route, one: Method): Method {
  const count = countOf(path);
  return (...given) =>
    items(async (cursor) => {
      const query = { ...(given[count] as object | undefined), ...(cursor !== undefined && { cursor }) };
      const page = (await one(...given.slice(0, count), query, given[count + 1])) as Record<string, unknown>;
      return { items: page[key!] as unknown[], next: page.next_cursor as string | null };
    });
}
