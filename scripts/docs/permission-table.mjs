import { cell, code } from './verb-tables.mjs';

/** The effects of permissions besides the routes of the contract. */
const OTHERS = {
  'tasks:context_read':
    'values that templates declare as [sensitive](guide/security.md#sensitive-values), in every response',
  'steps:work': 'everything that [workers over HTTP](guide/http-workers.md) do',
  'system:config_read': '`GET /config`',
  'system:analytics_read': '`GET /metrics`, unless [metrics are public](#metrics-and-the-port-of-a-worker)',
  'worker:config_read': 'on the port of a worker: `GET /config`',
  'worker:templates_read':
    'on the port of a worker: `GET /v1/templates`, `GET /v1/templates/{namespace}/{name}/{version}`',
  'templates:validate': 'on the port of a worker: `POST /v1/templates/{namespace}/{name}/{version}/validate`',
};

/**
 * Returns the table of permissions, with the role from which each is included, and the routes that need it.
 * `actions`: the permissions of the actions on many tasks.
 */
export function permissionTable({ permissions, roles, contract, actions }) {
  const verbs = Object.values(contract).flatMap((noun) => Object.values(noun));
  const rows = permissions.map((permission) => {
    const [role] = Object.entries(roles).find(([, granted]) => granted.includes(permission));
    const routes = verbs
      .filter((verb) => verb.permission === permission)
      .map(({ method, path }) => code(`${method.toUpperCase()} ${path}`));
    const acts = Object.keys(actions).filter((action) => actions[action] === permission);
    const permits = [
      routes.join(', '),
      acts.length > 0
        ? `${acts.length === 1 ? 'the action' : 'the actions'} ${acts.map(code).join(', ')} of \`POST /v1/bulk-acts\``
        : '',
      OTHERS[permission] ?? '',
    ].filter((text) => text !== '');
    if (permits.length === 0) {
      throw new Error(`no verb needs ${permission}; describe what it permits in scripts/docs/permission-table.mjs`);
    }
    return `| ${[code(permission), code(role), permits.join('; ')].map(cell).join(' | ')} |`;
  });
  return ['| permission | from role | permits |', '|---|---|---|', ...rows].join('\n');
}
