import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseHosts, Target } from '../config/database-hosts.ts';
import { messageOf, TaskerError } from '../errors.ts';

/** A host that does not respond within this time is treated as unreachable. */
const PROBE_MS = 2_000;
/** Time for the other hosts to respond after the first suitable host. One of them may be a newer primary. */
const GRACE_MS = 200;

const PROBE = `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only`;
/** A promotion begins a new timeline, so the primary that was promoted last has the highest. */
const TIMELINE = 'select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline';

/** The response of a host. */
interface Found {
  url: string;
  standby: boolean;
  readOnly: boolean;
  timeline: string;
}
interface Missing {
  url: string;
  error: unknown;
}

/**
 * Finds the host of a database that connections need, such as the primary. The host is cached until a connection to it
 * is lost.
 */
export class HostFinder {
  readonly #urls: readonly string[];
  readonly #target: Target;
  readonly #config: pg.ClientConfig;
  #known: Promise<string> | undefined;

  /** `config`: the settings of connections that do not depend on the host. */
  constructor({ urls, target = 'read-write' }: DatabaseHosts, config: pg.ClientConfig) {
    this.#urls = urls;
    this.#target = target;
    this.#config = config;
  }

  /** Returns the URL of the host. @throws TaskerError `database_unreachable` */
  find(): Promise<string> {
    if (this.#known) return this.#known;
    const search = this.#search();
    this.#known = search;
    search.catch(() => {
      if (this.#known === search) this.#known = undefined;
    });
    return search;
  }

  /** Searches again for the next connection. */
  forget(): void {
    this.#known = undefined;
  }

  /** Returns whether a server with this state of `in_hot_standby` is suitable. */
  accepts(standby: boolean): boolean {
    return standby ? !/read-write|primary/.test(this.#target) : !/read-only|^standby/.test(this.#target);
  }

  async #search(): Promise<string> {
    const answers: (Found | Missing)[] = [];
    const suitable = () => answers.filter((one) => 'standby' in one).filter((one) => this.#suits(one));
    await new Promise<void>((resolve) => {
      for (const url of this.#urls) {
        void this.#probe(url).then(async (answer) => {
          answers.push(answer);
          if (answers.length < this.#urls.length && suitable().length > 0) await sleep(GRACE_MS);
          if (answers.length === this.#urls.length || suitable().length > 0) resolve();
        });
      }
    });
    const found = suitable().sort((one, other) => this.#order(one, other))[0];
    if (found) return found.url;
    const reasons = answers.map(
      (one) => `${shortened(one.url)} ${'error' in one ? messageOf(one.error) : stateOf(one)}`,
    );
    throw new TaskerError('database_unreachable', `no host is ${this.#target} at the moment (${reasons.join('; ')})`, {
      cause: answers.find((one) => 'error' in one)?.error,
    });
  }

  #suits({ standby, readOnly }: Found): boolean {
    if (this.#target === 'read-write' && readOnly) return false;
    if (this.#target === 'read-only') return readOnly;
    return this.accepts(standby);
  }

  /** Sorts preferred standbys first, then newer primaries, then by the order in the URL. */
  #order(one: Found, other: Found): number {
    if (this.#target === 'prefer-standby' && one.standby !== other.standby) return one.standby ? -1 : 1;
    if (one.timeline !== other.timeline) return one.timeline > other.timeline ? -1 : 1;
    return this.#urls.indexOf(one.url) - this.#urls.indexOf(other.url);
  }

  async #probe(url: string): Promise<Found | Missing> {
    const client = new pg.Client({
      ...this.#config,
      connectionString: url,
      connectionTimeoutMillis: PROBE_MS,
      query_timeout: PROBE_MS,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ standby: boolean; read_only: boolean }>(PROBE);
      const { standby, read_only: readOnly } = rows[0]!;
      // Some managed services do not let users read the position in the log.
      const timelines = standby ? undefined : await client.query<{ timeline: string }>(TIMELINE).catch(() => undefined);
      return { url, standby, readOnly, timeline: timelines?.rows[0]?.timeline ?? '' };
    } catch (error) {
      return { url, error };
    } finally {
      client.end().catch(() => {});
    }
  }
}

function stateOf({ standby, readOnly }: Found): string {
  return standby ? 'is a standby' : readOnly ? 'is read-only' : 'is a primary';
}

/** `a:5432`, or the folder of the socket. */
function shortened(text: string): string {
  const { host, searchParams } = new URL(text);
  return searchParams.get('host') ?? host;
}

/** The parts of the driver's client that its types lack. */
interface Inside {
  connection: NodeJS.EventEmitter & { stream: { destroyed: boolean; destroy(): void } };
}

/** Returns a class of clients that connect to the host that `finder` finds, and to no server of another kind. */
export function clientsOf(finder: HostFinder): typeof pg.Client {
  return class extends pg.Client {
    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      const opened = this.#open();
      if (!callback) return opened;
      opened.then(() => callback(undefined as never), callback);
      return undefined;
    }

    async #open(): Promise<pg.Client> {
      const { connection } = this as unknown as Inside;
      const { host, port } = new pg.Client({ connectionString: await finder.find() });
      if (connection.stream.destroyed) throw new Error('connection timeout');
      Object.assign(this, { host, port });
      let standby = false;
      connection.on('parameterStatus', (message: { parameterName: string; parameterValue: string }) => {
        if (message.parameterName === 'in_hot_standby') standby = message.parameterValue === 'on';
      });
      // The pool adds its error listener shortly after the connection opens. An error before that would crash the process.
      this.once('end', () => finder.forget()).on('error', () => {});
      try {
        await super.connect();
      } catch (error) {
        finder.forget();
        throw error;
      }
      if (finder.accepts(standby)) return this;
      finder.forget();
      connection.stream.destroy();
      throw new Error(`connection refused: ${host}:${port} has become a ${standby ? 'standby' : 'primary'}`);
    }
  };
}
