// The table of the server, which is in the same package.
import { PERMISSIONS, ROLE_PERMISSIONS, ROLES } from '../../../../src/model/permissions.ts';
import { useMe } from '../../api/me.tsx';
import { Panel } from '../../parts/controls.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';

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
                <th scope="row" className="h-8! font-mono text-ink!">
                  {permission}
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
