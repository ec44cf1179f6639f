import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { until } from '../setup.ts';
import { freePorts } from '../suite/free-ports.ts';
import { programPath } from '../suite/programs.ts';

/** One server of a cluster. */
interface Node {
  name: string;
  port: number;
  folder: string;
  process: ChildProcess | undefined;
}

const HOST = '127.0.0.1';
/** Starting and promoting a server takes long on a busy machine. */
const PATIENCE_MS = 100_000;

/** A primary and two standbys with synchronous replication, from the PostgreSQL of Debian. */
export class Cluster {
  readonly #nodes: Node[];
  readonly #bin: string;
  readonly #folder: string;
  #primary = 0;

  private constructor(folder: string, ports: readonly number[]) {
    this.#folder = folder;
    this.#bin = path.dirname(programPath('pg_rewind')!);
    this.#nodes = ports.map((port, index) => {
      return { name: `n${index}`, port, folder: path.join(folder, `n${index}`), process: undefined };
    });
  }

  static async start(): Promise<Cluster> {
    const folder = mkdtempSync(path.join(inject('data'), 'tasker-replication-'));
    const { uid, gid } = serverUser();
    chmodSync(folder, 0o755);
    if (uid !== undefined) chownSync(folder, uid, gid!);
    const cluster = new Cluster(folder, await freePorts(3));
    try {
      await cluster.#make();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** The URL of a database with all hosts, the primary last. */
  url(database = 'postgres'): string {
    const hosts = this.#nodes.map(({ port }) => `${HOST}:${port}`);
    const last = hosts.splice(this.#primary, 1);
    return `postgres://postgres@${[...hosts, ...last].join(',')}/${database}?target_session_attrs=read-write`;
  }

  /** The URL of the standbys only. */
  standbys(database = 'postgres'): string {
    const hosts = this.#nodes.filter((_, index) => index !== this.#primary).map(({ port }) => `${HOST}:${port}`);
    return `postgres://postgres@${hosts.join(',')}/${database}?target_session_attrs=standby`;
  }

  /** Runs SQL on the primary. */
  sql<Row = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return queryOf<Row>(this.#nodes[this.#primary]!.port, text, values);
  }

  async #make(): Promise<void> {
    const [first, ...standbys] = this.#nodes as [Node, ...Node[]];
    this.#run('initdb', [
      '-D',
      first.folder,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--no-sync',
      '--no-instructions',
    ]);
    const settings = {
      listen_addresses: HOST,
      unix_socket_directories: this.#folder,
      wal_level: 'replica',
      wal_log_hints: 'on',
      wal_keep_size: '1GB',
      max_connections: '100',
      // In this test, only processes fail, not the computer.
      fsync: 'off',
      synchronous_commit: 'remote_apply',
      synchronous_standby_names: 'ANY 1 (n0, n1, n2)',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
    appendFileSync(path.join(first.folder, 'postgresql.conf'), `${lines.join('\n')}\n`);
    const rules = ['local all all trust', `host all all ${HOST}/32 trust`, `host replication all ${HOST}/32 trust`];
    writeFileSync(path.join(first.folder, 'pg_hba.conf'), `${rules.join('\n')}\n`);
    await this.#startNode(first);
    for (const node of standbys) {
      const from = ['-h', HOST, '-p', String(first.port), '-U', 'postgres'];
      this.#run('pg_basebackup', [...from, '-D', node.folder, '-X', 'stream', '-c', 'fast', '--no-sync']);
      await this.#startStandby(node);
    }
    await this.#settled(2);
  }

  /** Waits until the standbys follow the primary. */
  async #settled(count: number): Promise<void> {
    const following = `select count(*)::int n from pg_stat_replication where state = 'streaming'`;
    await until(
      async () => (await this.sql<{ n: number }>(following))[0]!.n,
      (n) => n >= count,
      PATIENCE_MS,
    );
  }

  async #startStandby(node: Node): Promise<void> {
    const ports = this.#nodes.map(({ port }) => port);
    const hosts = `host=${ports.map(() => HOST).join(',')} port=${ports.join(',')} user=postgres`;
    const conninfo = `${hosts} application_name=${node.name} target_session_attrs=read-write connect_timeout=2`;
    const lines = [`primary_conninfo = '${conninfo}'`, `wal_retrieve_retry_interval = '200ms'`];
    writeFileSync(path.join(node.folder, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
    this.#run('touch', [path.join(node.folder, 'standby.signal')]);
    await this.#startNode(node);
  }

  async #startNode(node: Node): Promise<void> {
    node.process = spawn(path.join(this.#bin, 'postgres'), ['-D', node.folder, '-p', String(node.port)], {
      ...serverUser(),
      cwd: this.#folder,
      stdio: 'ignore',
    });
    await until(
      () =>
        queryOf(node.port, 'select 1').then(
          () => true,
          () => false,
        ),
      (up) => up,
      PATIENCE_MS,
    );
  }

  #run(program: string, args: readonly string[]): void {
    const file = program === 'touch' ? program : path.join(this.#bin, program);
    execFileSync(file, args, { ...serverUser(), cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Sends SIGKILL to the primary, and promotes the standby that has received most. Returns when it accepts writes. */
  async failOver(): Promise<void> {
    const old = this.#nodes[this.#primary]!;
    const ended = once(old.process!, 'exit');
    old.process!.kill('SIGKILL');
    await ended;
    const positions = await Promise.all(
      this.#nodes.map(async (node, index) => {
        if (node === old) return { index, at: -1 };
        const [row] = await queryOf<{ at: string }>(
          node.port,
          `select pg_last_wal_receive_lsn() - '0/0'::pg_lsn as at`,
        );
        return { index, at: Number(row!.at) };
      }),
    );
    const { index } = positions.reduce((best, one) => (one.at > best.at ? one : best));
    await queryOf(this.#nodes[index]!.port, 'select pg_promote(true, 100)');
    this.#primary = index;
  }

  /** Brings the servers that ended back as standbys. */
  async rejoin(): Promise<void> {
    const { port } = this.#nodes[this.#primary]!;
    // pg_rewind reads the timeline in the control file, which the first checkpoint after the promotion writes. Without it,
    // pg_rewind finds nothing to do, and the old primary never catches up.
    await queryOf(port, 'checkpoint');
    for (const node of this.#nodes.filter(
      ({ process }) => process?.exitCode !== null || process?.signalCode !== null,
    )) {
      const source = `host=${HOST} port=${port} user=postgres dbname=postgres`;
      await until(
        () => {
          try {
            this.#run('pg_rewind', ['--target-pgdata', node.folder, '--source-server', source, '--no-sync']);
            return 'done';
          } catch (error) {
            // The processes of the killed server need a moment to end.
            return String((error as { stderr?: Buffer }).stderr ?? error);
          }
        },
        (outcome) => outcome === 'done',
        PATIENCE_MS,
      );
      await this.#startStandby(node);
    }
    await this.#settled(2);
  }

  async stop(): Promise<void> {
    const running = this.#nodes.flatMap(({ process }) =>
      process && process.exitCode === null && process.signalCode === null ? [process] : [],
    );
    const ended = running.map((process) => once(process, 'exit'));
    for (const process of running) process.kill('SIGQUIT');
    await Promise.all(ended);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** PostgreSQL refuses to run as root. */
function serverUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function queryOf<Row>(port: number, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ host: HOST, port, user: 'postgres', database: databaseOf(text) });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text, values as unknown[])).rows as Row[];
  } finally {
    await client.end();
  }
}

/** The tables of tasker are in the database `work`. */
function databaseOf(text: string): string {
  return text.includes('tasker.') ? 'work' : 'postgres';
}
