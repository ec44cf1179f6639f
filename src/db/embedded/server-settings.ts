/** The input for the settings of a server. */
export interface ServerSettings {
  /** Folder of the socket, as seen by the server. Undefined for TCP on this machine only. */
  socketFolder: string | undefined;
  durable: boolean;
  /** The caller's settings. They override the defaults, except for where the server listens. */
  settings: Record<string, string>;
}

/** Returns the server's settings as arguments of `postgres`. */
export function serverArguments({ socketFolder, durable, settings }: ServerSettings): string[] {
  const chosen: Record<string, string> = {
    listen_addresses: '',
    max_connections: '200',
    shared_buffers: '128MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Clients receive the errors of their statements. Logging them too would let the log grow without bound.
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

/** Quotes a folder, because the setting is a list in which commas and spaces need quotes. */
const quoted = (folder: string) => `"${folder.replaceAll('"', '""')}"`;
