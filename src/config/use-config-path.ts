/** Makes a path that was given on the command line that of this process, as if `TASKER_CONFIG_PATH` named it. */
export function useConfigPath(path: string, env: NodeJS.ProcessEnv = process.env): void {
  env['TASKER_CONFIG_PATH'] = path;
}
