import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readPassword } from './create-cluster.ts';
import { asEmbeddedError, embeddedFolder } from './embedded-folder.ts';
import { DATABASE, serverUrl } from './ensure-database.ts';
import { chooseHosting } from './hosting/choose-hosting.ts';

/** The status of the embedded server of a folder. */
export interface EmbeddedStatus {
  running: boolean;
  /** Whether any process uses it now. */
  inUse: boolean;
  pid?: number;
  /** The URL for `pg`, with the password. Only set while the server runs. */
  url?: string;
  /** Major version of PostgreSQL that created the data, for example '18'. Undefined if the server was never started. */
  version?: string;
  dataFolder: string;
  logFile: string;
}

/** Returns the status of the embedded server of a folder. Starts and changes nothing. */
export async function embeddedStatus(folder: string): Promise<EmbeddedStatus> {
  try {
    const place = embeddedFolder(folder);
    const { data: dataFolder, log: logFile } = place;
    if (!existsSync(dataFolder)) return { running: false, inUse: false, dataFolder, logFile };
    const version = readFileSync(path.join(dataFolder, 'PG_VERSION'), 'utf8').trim();
    const hosting = chooseHosting();
    const running = await hosting.findRunning(place);
    if (!running) return { running: false, inUse: false, version, dataFolder, logFile };
    const { pid, port } = running;
    const socketFolder = hosting.socketFolder(place);
    const url = serverUrl({ socketFolder, port, password: readPassword(dataFolder), database: DATABASE });
    return { running: true, inUse: hosting.hasUsers(place), pid, url, version, dataFolder, logFile };
  } catch (error) {
    throw asEmbeddedError(folder, error);
  }
}
