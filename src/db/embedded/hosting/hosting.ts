import type { Binaries } from '../binaries/binaries.ts';
import type { EmbeddedFolder } from '../embedded-folder.ts';
import type { Postmaster } from '../postmaster.ts';

/** The registration of this process as a user of a server. The registration ends when the process leaves or exits. */
export interface Membership {
  leave(): void;
}

/** A server that has just been started, with this process as its first user. */
export interface StartedServer {
  postmaster: Postmaster;
  membership: Membership;
}

/** How to start a server. */
export interface ServerStart {
  binaries: Binaries;
  durable: boolean;
  /** Additional settings of the server. */
  settings: Record<string, string>;
}

/** How a family of operating systems starts a server, counts its users, and stops it once it has none. */
export interface Hosting {
  /** Returns the server that runs in the folder, if any. */
  findRunning(folder: EmbeddedFolder): Promise<Postmaster | undefined>;
  /** Starts a server and waits until it accepts connections. Call this under the lock. */
  start(folder: EmbeddedFolder, start: ServerStart): Promise<StartedServer>;
  /** Joins the users of a running server. Returns undefined if it is being stopped, or if it has no watcher. */
  join(folder: EmbeddedFolder, postmasterPid: number): Membership | undefined;
  /** Returns whether any process uses the server. */
  hasUsers(folder: EmbeddedFolder): boolean;
  /** Returns the folder of the server's socket, or undefined if it listens on TCP. */
  socketFolder(folder: EmbeddedFolder): string | undefined;
}
