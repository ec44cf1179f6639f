/** What the settings of a server follow from. */
export interface ServerSettings {
  /** Where the socket goes, as the server names it; undefined for TCP on this machine only. */
  socketFolder: string | undefined;
  durable: boolean;
  /** The caller's own. They win over ours, except for where the server listens. */
  settings: Record<string, string>;
}

/** The server's settings as arguments of `postgres`. */
export function serverArguments({ socketFolder, durable, settings }: ServerSettings): string[] {
  const chosen: Record<string, string> = {
    listen_addresses: '',
    max_connections: '200',
    shared_buffers: '128MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // An error of a statement goes to whoever sent it. Logging it too would let the log grow without bound.
    log_min_messages: 'log',
    log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...settings,
    ...(socketFolder === undefined
      ? { listen_addresses: '127.0.0.1', unix_socket_directories: '' }
      : { port: '5432', unix_socket_permissions: '0700', unix_socket_directories: quoted(socketFolder) }),
  };
  return Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The setting is a list, so a folder with a comma or a space in its name has to be quoted. */
const quoted = (folder: string) => `"${folder.replaceAll('"', '""')}"`;
