/** Where a server is, and who enters. */
export interface ServerAddress {
  /** Folder of the Unix socket; undefined for TCP on this machine. */
  socketFolder: string | undefined;
  port: number;
  password: string;
  database: string;
}

/**
 * The URL under which `pg` finds the server. With a socket, the host of the authority is not used: the one in the
 * query wins. `sslmode` and the port stand in it so that PGSSLMODE and PGPORT of the environment do not matter.
 */
export function serverUrl({ socketFolder, port, password, database }: ServerAddress): string {
  const base = `postgres://postgres:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
  return socketFolder === undefined ? base : `${base}&host=${encodeURIComponent(socketFolder)}`;
}
