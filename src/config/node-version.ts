/** The oldest Node that runs this package; `engines` of package.json says the same. */
const LEAST = [20, 19] as const;

/** Says what to do when a version of Node is too old; undefined when it is not. Imports nothing: an old Node reads it. */
export function oldNodeProblem(version: string = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return undefined;
  return `tasker-core needs Node ${LEAST.join('.')} or later, and this is Node ${version}; install a later Node and run the command again`;
}
