import { existsSync } from 'node:fs';
import { asEmbeddedError } from './embedded-error.ts';
import { embeddedFolder } from './embedded-folder.ts';
import { withFileLock } from './file-lock.ts';
import { chooseHosting } from './hosting/choose-hosting.ts';
import { stopPostmaster } from './postmaster.ts';

/**
 * Stops the embedded server of a folder, whoever uses it, and waits until it is gone; false when none ran.
 * `immediate` skips the last checkpoint, so that the next start recovers.
 */
export async function stopEmbedded(folder: string, mode: 'fast' | 'immediate' = 'fast'): Promise<boolean> {
  try {
    const place = embeddedFolder(folder);
    if (!existsSync(place.data)) return false;
    const findRunning = () => chooseHosting().findRunning(place);
    const work = async () => {
      const running = await findRunning();
      if (running) await stopPostmaster(place.data, running.pid, mode);
      return running !== undefined;
    };
    return await withFileLock(place.lock, work, { inUse: async () => (await findRunning()) !== undefined });
  } catch (error) {
    throw asEmbeddedError(folder, error);
  }
}
