import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from '../setup.ts';
import { freePorts } from '../suite/free-ports.ts';
import { programPath } from '../suite/programs.ts';

/** A folder whose owner is the user that Debian's package creates for the server. */
const OWNER = '/var/lib/rabbitmq';

/** The size from which the broker rejects a message. */
export const TOO_LARGE_BYTES = 3_000_000;

export interface RabbitmqServer {
  url: string;
  /** Starts the broker again, with the same files and port. */
  start(): Promise<void>;
  /** Kills the broker, as a power cut does. */
  kill(): Promise<void>;
  /** Stops the broker in its own time, which writes everything that it knows to disk. */
  stop(): Promise<void>;
  /** Stops the broker and removes its files. */
  remove(): Promise<void>;
}

/** Starts a broker on loopback with its own files, node name, cookie and port mapper. */
export async function rabbitmqServer(): Promise<RabbitmqServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-rabbitmq-'));
  const [port, distribution, mapper] = await freePorts(3);
  const conf = path.join(folder, 'rabbitmq.conf');
  writeFileSync(
    conf,
    `listeners.tcp.1 = 127.0.0.1:${port}
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.relative = 0.9
max_message_size = ${TOO_LARGE_BYTES - 1}
`,
  );
  // Running the server as root would be a risk, and other users could not remove its files.
  const owner = process.getuid?.() === 0 ? statSync(OWNER) : undefined;
  const as = owner && { uid: owner.uid, gid: owner.gid };
  if (as) for (const one of [folder, conf]) chownSync(one, as.uid, as.gid);
  const env = environment({ folder, conf, port: port!, distribution: distribution!, mapper: mapper! });
  const run = (command: string, args: string[]) => spawn(command, args, { ...as, cwd: folder, env, stdio: 'ignore' });
  // Without a running port mapper, the server starts one that outlives it.
  const epmd = run('epmd', ['-port', String(mapper), '-address', '127.0.0.1']);
  await listening(mapper!, epmd);
  let server: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals) => {
    if (server) await ended(server, signal);
    server = undefined;
  };
  const kill = () => end('SIGKILL');
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    async start() {
      server = run(programPath('rabbitmq-server')!, ['-noinput']);
      await listening(port!, server);
    },
    kill,
    stop: () => end('SIGTERM'),
    async remove() {
      await kill();
      await ended(epmd);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

interface Places {
  folder: string;
  conf: string;
  port: number;
  distribution: number;
  mapper: number;
}

function environment({ folder, conf, port, distribution, mapper }: Places): NodeJS.ProcessEnv {
  const own = (name: string) => path.join(folder, name);
  return {
    PATH: process.env['PATH'],
    HOME: folder,
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: '/dev/null',
    // Starts the server itself, not a script that waits for it.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_NODENAME: `tasker-${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_BASE: folder,
    RABBITMQ_MNESIA_BASE: own('mnesia'),
    RABBITMQ_LOG_BASE: own('log'),
    RABBITMQ_LOGS: own('server.log'),
    RABBITMQ_PID_FILE: own('pid'),
    RABBITMQ_CONFIG_FILE: conf,
    RABBITMQ_CONF_ENV_FILE: own('none'),
    RABBITMQ_ADVANCED_CONFIG_FILE: own('none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: own('enabled_plugins'),
    RABBITMQ_FEATURE_FLAGS_FILE: own('feature_flags'),
    RABBITMQ_GENERATED_CONFIG_DIR: own('generated'),
  };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (child.kill(signal)) await exited;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const isListening = async () => {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    return await answers(port);
  };
  await until(isListening, (yes) => yes, 100_000);
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    socket.destroy();
  }
}
