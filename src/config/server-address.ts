/** A server, and the credential for it. */
export interface ServerAddress {
  url: string;
  apiKey?: string | undefined;
  token?: string | undefined;
}

/**
 * Returns the server in the environment: `TASKER_ORCHESTRATION_URL`, with `TASKER_API_KEY`, or
 * `TASKER_ORCHESTRATION_AUTH_TOKEN` or `TASKER_AUTH_TOKEN`. An empty variable is treated as not set. `url` is undefined
 * if no server is set.
 */
export function serverFromEnvironment(env: NodeJS.ProcessEnv = process.env): Partial<ServerAddress> {
  const read = (name: string) => env[name]?.trim() || undefined;
  return {
    url: read('TASKER_ORCHESTRATION_URL'),
    apiKey: read('TASKER_API_KEY'),
    token: read('TASKER_ORCHESTRATION_AUTH_TOKEN') ?? read('TASKER_AUTH_TOKEN'),
  };
}

/** Returns the name of the profile in `TASKER_PROFILE` or `TASKER_CLIENT_PROFILE`, if one is set. */
export function profileFromEnvironment(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env.TASKER_PROFILE?.trim() || env.TASKER_CLIENT_PROFILE?.trim() || undefined;
}
