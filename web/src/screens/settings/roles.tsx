// The table of the server, which is in the same package.
import { PERMISSIONS, type Permission, ROLE_PERMISSIONS, ROLES, type Role } from '../../../../src/model/permissions.ts';
import { useMe } from '../../api/me.tsx';
import { Panel } from '../../parts/controls.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';

/** The rights of each role, in words. */
const ROLE_WORDS: Readonly<Record<Role, string>> = {
  viewer: 'sees everything except sensitive data, the audit and the configuration, and changes nothing.',
  operator:
    'also sees the audit and the configuration; runs, retries and cancels tasks, decides approvals, changes schedules, replays events, drains workers, and chooses the active versions of templates.',
  admin: 'also deletes tasks, changes templates and credentials, and sees sensitive data.',
};

/** The action that each permission allows, in words. */
const PERMISSION_WORDS: Readonly<Record<Permission, string>> = {
  'tasks:create': 'Create tasks',
  'tasks:read': 'See a task',
  'tasks:list': 'List and count tasks',
  'tasks:cancel': 'Cancel tasks',
  'tasks:context_read': 'See sensitive data of tasks',
  'steps:read': 'See steps and their logs',
  'steps:resolve': 'Retry, resolve and complete steps',
  'dlq:read': 'See dead letters',
  'dlq:update': 'Investigate dead letters',
  'dlq:stats': 'See statistics of dead letters',
  'templates:read': 'See templates',
  'templates:validate': 'Check a template',
  'system:config_read': 'See the configuration of the server',
  'system:handlers_read': 'See handlers',
  'system:analytics_read': 'See statistics',
  'worker:config_read': 'See the configuration of workers',
  'worker:templates_read': 'See the templates of workers',
  'tasks:update': 'Retry, pause and change tasks',
  'tasks:delete': 'Delete tasks',
  'steps:work': 'Run steps, as a worker',
  'signals:send': 'Send signals',
  'approvals:read': 'See approvals',
  'approvals:decide': 'Approve and reject',
  'approvals:reassign': 'Reassign approvals',
  'schedules:read': 'See schedules',
  'schedules:write': 'Create and change schedules',
  'templates:write': 'Register templates',
  'templates:activate': 'Choose the active version of a template',
  'events:read': 'See events',
  'events:replay': 'Replay and redeliver events',
  'workers:read': 'See workers',
  'workers:drain': 'Drain workers',
  'audit:read': 'See the audit',
  'auth:manage': 'Manage keys and credentials',
};

/** The permissions of each role and of the user. */
export function RolesView() {
  const { permissions, subject } = useMe();
  const own = permissions && new Set(permissions);
  return (
    <>
      <p className="mb-3 text-sm text-soft">
        {own
          ? `You are ${subject}, and have ${own.size} of ${PERMISSIONS.length} permissions.`
          : 'This server needs no credential: everyone who can reach it may do everything.'}
      </p>
      <dl aria-label="Roles in words" className="mb-4 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
        {ROLES.map((role) => (
          <div key={role} className="contents">
            <dt className="font-medium capitalize">{role}</dt>
            <dd className="text-soft">{ROLE_WORDS[role]}</dd>
          </div>
        ))}
      </dl>
      <Panel>
        <table className="grid-table" aria-label="Roles">
          <thead>
            <tr>
              <th scope="col">Permission</th>
              {ROLES.map((role) => (
                <th key={role} scope="col" className="capitalize">
                  {role}
                </th>
              ))}
              {own && <th scope="col">You</th>}
            </tr>
          </thead>
          <tbody>
            {PERMISSIONS.map((permission) => (
              <tr key={permission}>
                <th scope="row" className="h-8! text-ink!">
                  {PERMISSION_WORDS[permission]}
                  <span className="ml-2 font-mono text-xs font-normal text-faint">{permission}</span>
                </th>
                {ROLES.map((role) => (
                  <Cell key={role} has={ROLE_PERMISSIONS[role].includes(permission)} />
                ))}
                {own && <Cell has={own.has(permission)} />}
              </tr>
            ))}
          </tbody>
        </table>
      </Panel>
    </>
  );
}

function Cell({ has }: { has: boolean }) {
  return (
    <td className="h-8!">
      {has ? (
        <span className={HUES.green}>
          <StateShape state="complete" />
          <span className="sr-only">yes</span>
        </span>
      ) : (
        <span className="text-faint">
          <span aria-hidden="true">–</span>
          <span className="sr-only">no</span>
        </span>
      )}
    </td>
  );
}
