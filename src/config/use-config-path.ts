/** Sets `TASKER_CONFIG_PATH` of this process to a path from the command line. */
export function useConfigPath(path: string, env: NodeJS.ProcessEnv = process.env): void {
  env['TASKER_CONFIG_PATH'] = path;
}
