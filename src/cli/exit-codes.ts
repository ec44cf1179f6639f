import { type ErrorCode, TaskerError } from '../errors.ts';

/** The exit codes of the command. `docs/guide/cli.md` has the same table. */
export const EXIT = {
  ok: 0,
  /** The command failed, or its check did not pass. */
  failed: 1,
  /** The command line is wrong. Nothing was done. */
  usage: 2,
  /** For `task watch` and `--wait`: the task is blocked until an operator acts. */
  blocked: 2,
  /** The command could not start, because it lacks a usable database, folder, template or handler. */
  refused: 3,
  /** Interrupted by Ctrl-C; the code that shells use. */
  interrupted: 130,
} as const;

const USAGE = new Set<ErrorCode>(['bad_request', 'invalid_uuid']);
const REFUSED = new Set<ErrorCode>([
  'config_invalid',
  'database_url_missing',
  'database_unreachable',
  'database_too_old',
  'schema_behind',
  'schema_too_new',
  'schema_changed',
  'rights_missing',
  'embedded_unsupported',
  'embedded_failed',
  'folder_not_writable',
  'address_unavailable',
  'server_unreachable',
]);
/** These errors prevent a program that runs steps from starting. In other commands they are failures. */
const REFUSED_AT_START = new Set<ErrorCode>(['template_invalid', 'handler_invalid', 'handler_not_found']);

/** Returns the exit code of an error. `starting`: the error occurred before the worker was running. */
export function exitCodeOf(error: unknown, { starting = false } = {}): number {
  if (!(error instanceof TaskerError)) return starting ? EXIT.refused : EXIT.failed;
  if (USAGE.has(error.code)) return EXIT.usage;
  if (REFUSED.has(error.code)) return EXIT.refused;
  return starting && REFUSED_AT_START.has(error.code) ? EXIT.refused : EXIT.failed;
}
