import pg from 'pg';
import { ODD_TYPES } from './odd-types.ts';

/** Returns a pool of `pg` with one connection. If it is lost, the next statement reports it. */
export function oneConnection(url: string, odd: boolean): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 1, ...(odd && { types: ODD_TYPES }) });
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', () => {});
  return pool;
}
