/** The minimum version of Node, as in `engines` of package.json. */
const LEAST = [20, 19] as const;

/** Returns the error if Node is too old, else undefined. This file imports nothing, because an old Node must load it. */
export function oldNodeProblem(version: string = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return undefined;
  return `tasker-core needs Node ${LEAST.join('.')} or later, and this is Node ${version}; install a later Node and run the command again`;
}
