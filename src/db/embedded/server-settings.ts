/** What makes a setting list: the caller's own come last, and win. */
export interface ServerSettings {
  socketFolder: string;
  durable: boolean;
  settings: Record<string, string>;
}

/** The server's settings as arguments of `postgres`. */
export function serverArguments({ socketFolder, durable, settings }: ServerSettings): string[] {
  const chosen: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    max_connections: '200',
    shared_buffers: '128MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Errors of statements go to whoever sent them; what concerns the server itself is logged.
    log_min_messages: 'log',
    log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...settings,
  };
  return Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
