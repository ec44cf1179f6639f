import type { Binaries } from '../binaries/binaries.ts';
import type { EmbeddedFolder } from '../embedded-folder.ts';
import type { Postmaster } from '../postmaster.ts';

/** Our place among the users of a server. It ends with the process, or by leaving. */
export interface Membership {
  leave(): void;
}

/** A server that has just been started, with us as its first user. */
export interface StartedServer {
  postmaster: Postmaster;
  membership: Membership;
}

/** What to start, and how. */
export interface ServerStart {
  binaries: Binaries;
  durable: boolean;
  /** The caller's own settings of the server. */
  settings: Record<string, string>;
}

/** How one family of systems starts a server, counts its users, and stops it when they are gone. */
export interface Hosting {
  /** The server that runs in the folder now. */
  findRunning(folder: EmbeddedFolder): Promise<Postmaster | undefined>;
  /** Starts one and waits until it accepts connections. Under the lock. */
  start(folder: EmbeddedFolder, start: ServerStart): Promise<StartedServer>;
  /** Joins the users of one that runs; undefined when it is being stopped, or nobody watches over it. */
  join(folder: EmbeddedFolder, postmasterPid: number): Membership | undefined;
  /** Whether anybody uses the server. */
  hasUsers(folder: EmbeddedFolder): boolean;
  /** Where its socket is; undefined when it listens on TCP. */
  socketFolder(folder: EmbeddedFolder): string | undefined;
}
