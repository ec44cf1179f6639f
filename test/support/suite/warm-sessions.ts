import { Socket } from 'node:net';
import pg from 'pg';

/**
 * Keeps the sessions of clients that have ended, for later clients of this process with the same settings. The first
 * statements of a session take the server 60 ms, because it loads the catalogs and plans each statement. Only for
 * databases that {@link keepSessionsOf} names. A session is kept only if it is idle and outside of a transaction.
 */
export function keepSessionsOf(database: string): void {
  install();
  kept.set(database, new Map());
}

/** Closes the kept sessions of a database, and stops keeping sessions of it. */
export function closeSessionsOf(database: string): void {
  const sessions = kept.get(database);
  kept.delete(database);
  for (const list of sessions?.values() ?? []) for (const connection of list) connection.stream.destroy();
}

/** Returns the process ids of the sessions of a database that no client uses. */
export function idleSessionsOf(database: string): number[] {
  return [...(kept.get(database)?.values() ?? [])].flat().map(({ backend }) => backend!.processID);
}

/** The kept sessions of each database, by the settings that they were opened with. */
const kept = new Map<string, Map<string, Connection[]>>();

/** The parts of a connection that the driver's types leave out. */
interface Connection extends NodeJS.EventEmitter {
  stream: Socket;
  backend?: { processID: number; secretKey: number };
  _ending: boolean;
  query(text: string): void;
}

interface Client extends NodeJS.EventEmitter {
  database?: string;
  port: number;
  connection: Connection;
  /** The connection that the client made for itself. Its socket stays closed while the client uses a kept session. */
  own?: Connection;
  settings?: string;
  processID: number | null;
  secretKey: number | null;
  readyForQuery?: boolean;
  _connecting: boolean;
  _connected: boolean;
  _ending: boolean;
  _ended: boolean;
  _queryable: boolean;
  _txStatus: string | null;
  _activeQuery: unknown;
  _queryQueue: unknown[];
  _sentQueryQueue: unknown[];
  _connectionCallback: ((error: Error | null, client?: Client) => void) | null;
  getStartupConf(): object;
  _connect(callback: (error: Error | null) => void): void;
  _attachListeners(connection: Connection): void;
  _errorAllQueries(error: Error): void;
  _handleErrorEvent(error: Error): void;
}

const RESET = 'close all; unlisten *; select pg_advisory_unlock_all(); reset all; discard temp';

let installed = false;

function install(): void {
  if (installed) return;
  installed = true;
  const prototype = pg.Client.prototype as unknown as Client;
  const { _connect: connect, end } = prototype as unknown as {
    _connect: Client['_connect'];
    end(callback?: () => void): Promise<void> | void;
  };
  prototype._connect = function (this: Client, callback) {
    const sessions = kept.get(this.database ?? '');
    if (!sessions || this._connecting || this._connected) return connect.call(this, callback);
    this.settings = JSON.stringify([this.port, this.getStartupConf()]);
    this.own = this.connection;
    const session = sessions.get(this.settings)?.pop();
    if (session) return adopt(this, session, callback);
    const socket = new Socket();
    this.connection = new (pg as unknown as { Connection: new (config: object) => Connection }).Connection({
      stream: socket,
    });
    this.connection.once('backendKeyData', (backend) => (this.connection.backend = backend));
    bind(this);
    connect.call(this, callback);
  };
  (prototype as unknown as { end: typeof end }).end = function (this: Client, callback) {
    if (!canKeep(this)) return end.call(this, callback);
    const done = callback ? void this.once('end', callback) : new Promise<void>((resolve) => this.once('end', resolve));
    park(this);
    return done;
  };
}

/** Ties the socket that the program knows to the socket of the session. Destroying one destroys the other. */
function bind(client: Client): void {
  const { stream } = client.connection;
  const own = client.own!.stream;
  own.once('close', () => client._ended || stream.destroy());
  client.connection.once('end', () => own.destroy());
}

function adopt(client: Client, connection: Connection, callback: (error: Error | null) => void): void {
  client.connection = connection;
  client._connecting = true;
  client._connectionCallback = callback;
  client.processID = connection.backend!.processID;
  client.secretKey = connection.backend!.secretKey;
  connection.removeAllListeners();
  connection.stream.ref();
  bind(client);
  client._attachListeners(connection);
  // As the driver does for a new connection.
  connection.once('end', () => {
    const error = new Error(client._ending ? 'Connection terminated' : 'Connection terminated unexpectedly');
    client._errorAllQueries(error);
    client._ended = true;
    if (!client._ending) client._handleErrorEvent(error);
    process.nextTick(() => client.emit('end'));
  });
  process.nextTick(() => connection.emit('readyForQuery', { status: 'I' }));
}

function canKeep(client: Client): boolean {
  return (
    client.own !== undefined &&
    client.connection.backend !== undefined &&
    kept.has(client.database ?? '') &&
    client._connected &&
    !client._ending &&
    !client._ended &&
    client._queryable &&
    client._txStatus === 'I' &&
    !client._activeQuery &&
    client._queryQueue.length === 0 &&
    client._sentQueryQueue.length === 0 &&
    !client.connection.stream.destroyed
  );
}

function park(client: Client): void {
  const { connection, own, settings, database } = client;
  client._ending = true;
  client._ended = true;
  client._queryable = false;
  client.connection = own!;
  connection.removeAllListeners();
  connection.on('error', () => connection.stream.destroy());
  connection.on('errorMessage', () => connection.stream.destroy());
  connection.once('readyForQuery', () => {
    const sessions = kept.get(database ?? '');
    if (!sessions || connection.stream.destroyed) return connection.stream.destroy();
    connection.stream.unref();
    const list = sessions.get(settings!) ?? [];
    sessions.set(settings!, [...list, connection]);
    connection.once('end', () => {
      const rest = sessions.get(settings!) ?? [];
      sessions.set(
        settings!,
        rest.filter((each) => each !== connection),
      );
    });
  });
  connection.query(RESET);
  own!.stream.destroy();
  process.nextTick(() => client.emit('end'));
}
