import type { Database } from '../../db/database.ts';
import { factsOf, grantsCommand, phraseRights } from '../../engine/rights.ts';
import { type MissingRight, missingDefaultRights, missingRights } from '../../store/server/rights.ts';

/** The finding about the rights of a connection's role. */
export interface RightsFinding {
  status: 'ok' | 'warn' | 'fail' | 'skip';
  found: string;
  wayOut?: string;
  /** Whether the role may read everything that checks of the installation read. */
  canRead: boolean;
}

/** Checks the rights of the connection's role on the schema. Reads only the catalogs. */
export async function checkRights(database: Database): Promise<RightsFinding> {
  const facts = await factsOf(database);
  if (!facts || facts.owner === null) return { status: 'skip', found: 'the schema is missing', canRead: false };
  const { role, owner } = facts;
  const missing = await missingRights(database, role, 'write');
  const command = grantsCommand(database, role);
  if (missing.length > 0) {
    const canRead = (await missingRights(database, role, 'read')).length === 0;
    if (canRead && lacksWriting(missing)) {
      const found = `the role ${role} may only read, which is enough for reports, but not for workers, servers and commands that act`;
      return {
        status: 'warn',
        found,
        wayOut: `for a program that acts, use a role with the grants of \`${command}\``,
        canRead,
      };
    }
    const wayOut = `run the statements of \`${command}\` as ${owner}`;
    return { status: 'fail', found: `the role ${role} lacks ${phraseRights(missing)}`, wayOut, canRead };
  }
  const owners = await missingDefaultRights(database, role);
  if (owners.length > 0) {
    const found = `the role ${role} will have no rights on the tables of later migrations: ${owners.join(' and ')} has no default privileges for it`;
    return { status: 'warn', found, wayOut: `run the statements of \`${command}\` as ${owner}`, canRead: true };
  }
  const found =
    role === owner ? `the role ${role} owns the tables` : `the role ${role} has the rights of workers and servers`;
  return { status: 'ok', found, canRead: true };
}

/** Returns whether the role lacks all rights to write tasks. A role with some of them is meant to write. */
function lacksWriting(missing: readonly MissingRight[]): boolean {
  return missing.some(({ kind, name, privileges }) => kind === 'table' && name === 'task' && privileges.length === 3);
}
