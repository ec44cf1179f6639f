import { chosenUrl, embeddedHome, stopOwnEmbedded } from '../../app/project/database-admin.ts';
import { TaskerError } from '../../errors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';

/** `tasker db stop`: stops the embedded server of this folder. */
export async function dbStop(options: GlobalOptions): Promise<void> {
  if (chosenUrl(options) !== undefined) {
    throw new TaskerError(
      'bad_request',
      'a database URL is given (DATABASE_URL or --database-url): that server is not ours to stop; unset it to mean the embedded one',
    );
  }
  const stopped = await stopOwnEmbedded();
  if (options.json) printJson({ folder: embeddedHome(), stopped });
  else note(stopped ? `stopped the server in ${embeddedHome()}` : `no server runs in ${embeddedHome()}`);
}
