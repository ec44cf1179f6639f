/** Something in the configuration, and where. */
export interface ConfigProblem {
  /** The file, or the variable of the environment. */
  where: string;
  /** 1-based; undefined where there are no lines. */
  line?: number | undefined;
  /** The key it is about. */
  key?: string | undefined;
  message: string;
}

/** `config/tasker.toml:12: worker.lease_seconds must be …` */
export function formatConfigProblem({ where, line, message }: ConfigProblem): string {
  return `${where}${line === undefined ? '' : `:${line}`}: ${message}`;
}
