/** The environment for a program that is started, with more variables; those that are undefined are left out. */
export function childEnvironment(
  more: Record<string, string | undefined>,
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const given = Object.entries(more).filter(([, value]) => value !== undefined);
  return { ...env, ...Object.fromEntries(given) };
}
