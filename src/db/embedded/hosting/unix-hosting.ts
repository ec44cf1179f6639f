import { connect } from 'node:net';
import path from 'node:path';
import { findRunning, type Postmaster, readPostmaster, SOCKET } from '../postmaster.ts';
import { findRunFolder, prepareRunFolder } from '../run-folder.ts';
import { hasUsers, joinRunning } from '../users.ts';
import { startWatched } from '../watched-server.ts';
import type { Hosting } from './hosting.ts';

/** Runs servers on a Unix socket, and counts their users with a named pipe. */
export const unixHosting: Hosting = {
  async findRunning(folder) {
    return findRunning(folder.data) ?? (await findElsewhere(folder.data, findRunFolder(folder)));
  },
  start(folder, start) {
    return startWatched(folder, prepareRunFolder(folder), start);
  },
  join(folder, postmasterPid) {
    const runFolder = findRunFolder(folder);
    return runFolder === undefined ? undefined : joinRunning(runFolder, postmasterPid);
  },
  hasUsers(folder) {
    const runFolder = findRunFolder(folder);
    return runFolder !== undefined && hasUsers(runFolder);
  },
  socketFolder: findRunFolder,
};

/** Finds a server in another container that shares the folder, by connecting to its socket. Its pid is unknown here. */
async function findElsewhere(data: string, runFolder: string | undefined): Promise<Postmaster | undefined> {
  const postmaster = readPostmaster(data);
  return postmaster && runFolder && (await answers(path.join(runFolder, SOCKET))) ? postmaster : undefined;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => resolve(true)).once('error', () => resolve(false));
    connection.once('connect', () => connection.destroy());
  });
}
