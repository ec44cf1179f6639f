/** A problem in the configuration, and its place. */
export interface ConfigProblem {
  /** The file, or the environment variable. */
  where: string;
  /** 1-based line; undefined for an environment variable or an option. */
  line?: number | undefined;
  /** The key with the problem. */
  key?: string | undefined;
  message: string;
}

/** Formats a problem as `config/tasker.toml:12: worker.lease_seconds must be …` */
export function formatConfigProblem({ where, line, message }: ConfigProblem): string {
  return `${where}${line === undefined ? '' : `:${line}`}: ${message}`;
}
