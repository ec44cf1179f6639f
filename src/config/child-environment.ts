/** The environment for a child process: `env` with additional variables. Undefined variables are omitted. */
export function childEnvironment(
  more: Record<string, string | undefined>,
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const given = Object.entries(more).filter(([, value]) => value !== undefined);
  return { ...env, ...Object.fromEntries(given) };
}
