/** Where a server is, and who enters. */
export interface ServerAddress {
  socketFolder: string;
  port: number;
  password: string;
  database: string;
}

/** The URL under which `pg` finds the server. The host in its authority is never used: the one in the query wins. */
export function serverUrl({ socketFolder, port, password, database }: ServerAddress): string {
  const host = encodeURIComponent(socketFolder);
  return `postgres://postgres:${password}@localhost:${port}/${database}?host=${host}`;
}
