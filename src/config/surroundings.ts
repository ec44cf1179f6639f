/** The environment and the folder from which settings are read. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  cwd: string;
}

/** Returns the environment and the current folder of this process. */
export function ownSurroundings(): Surroundings {
  return { env: process.env, cwd: process.cwd() };
}
