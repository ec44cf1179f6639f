import { type ErrorCode, TaskerError } from '../errors.ts';

/** What the command's exit code says. `docs/guide/cli.md` has the same table. */
export const EXIT = {
  ok: 0,
  /** It ran and came to an error, or what was asked for is not so. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** Of `task watch` and `--wait`: the task rests until an operator acts. */
  blocked: 2,
  /** It could not start: no usable database, folder, template or handler. */
  refused: 3,
  /** Ended by Ctrl-C, as shells have it. */
  interrupted: 130,
} as const;

const USAGE = new Set<ErrorCode>(['bad_request', 'invalid_uuid']);
const REFUSED = new Set<ErrorCode>([
  'config_invalid',
  'database_url_missing',
  'database_unreachable',
  'database_too_old',
  'schema_too_new',
  'schema_changed',
  'embedded_unsupported',
  'embedded_failed',
  'folder_not_writable',
  'address_unavailable',
]);
/** For programs that need them to start; for the others it is what they came to. */
const REFUSED_AT_START = new Set<ErrorCode>(['template_invalid', 'handler_invalid', 'handler_not_found']);

/** The exit code of an error. `starting`: a worker did not get as far as running. */
export function exitCodeOf(error: unknown, { starting = false } = {}): number {
  if (!(error instanceof TaskerError)) return starting ? EXIT.refused : EXIT.failed;
  if (USAGE.has(error.code)) return EXIT.usage;
  if (REFUSED.has(error.code)) return EXIT.refused;
  return starting && REFUSED_AT_START.has(error.code) ? EXIT.refused : EXIT.failed;
}
