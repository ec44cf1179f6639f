import { once } from 'node:events';
import { createServer } from 'node:net';

/** Systems choose higher ports for connections, and for servers that listen on port 0. */
const [LOWEST, HIGHEST] = [15_000, 32_000];

/** Returns distinct unused ports of loopback. The system does not assign them to other programs later. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
