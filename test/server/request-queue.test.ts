import net from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type Answering, listen } from '../../src/server/listen.ts';
import { RequestQueue } from '../../src/server/request-queue.ts';

const ANSWER = 'HTTP/1.1 200 OK';

/** Connects, and sends a request again after each response. `onAnswer` gets the number of responses. */
function client(port: number, onAnswer: (answers: number) => void): net.Socket {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  let answers = 0;
  const ask = () => socket.write('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  socket.on('data', (bytes) => {
    const more = bytes.toString('latin1').split(ANSWER).length - 1;
    for (let i = 0; i < more; i++) {
      onAnswer(++answers);
      ask();
    }
  });
  socket.on('error', () => {});
  ask();
  return socket;
}

async function listening(app: Answering) {
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  return server;
}

function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('a busy server accepts new connections before its other clients have had many responses', async () => {
  const OLD = 50;
  const NEW = 100;
  const { port } = await listening({
    fetch: async () => {
      await Promise.resolve();
      burn(1);
      return new Response('ok');
    },
  });
  let old = 0;
  const sockets = Array.from({ length: OLD }, () => client(port, () => old++));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await expect.poll(() => old).toBeGreaterThan(OLD);
  const before = old;
  const meanwhile = await new Promise<number>((resolve) => {
    let first = 0;
    for (let i = 0; i < NEW; i++) {
      const onAnswer = (answers: number) => answers === 1 && ++first === NEW && resolve(old - before);
      sockets.push(client(port, onAnswer));
    }
  });
  // If one connection were accepted per turn over all clients, the others would get about 5,000 responses meanwhile.
  expect(meanwhile).toBeLessThan(NEW * 20);
});

it('a request whose client disconnects before its turn is not handled', async () => {
  let handled = 0;
  const { port } = await listening({
    fetch: async () => {
      handled++;
      burn(1);
      return new Response('ok');
    },
  });
  const sockets = Array.from({ length: 50 }, () => client(port, () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await expect.poll(() => handled).toBeGreaterThan(100);
  for (const socket of sockets) socket.destroy();
  const until = handled + 25;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(handled).toBeLessThan(until);
});

it('a request is handled with its waiting time, and gets its own response or error', async () => {
  const queue = new RequestQueue();
  const waited: number[] = [];
  const work = (answer: () => string) => (ms: number) => {
    waited.push(ms);
    burn(20);
    return answer();
  };
  const answers = await Promise.allSettled([
    queue.enter(work(() => 'a')),
    queue.enter(
      work(() => {
        throw new Error('refused');
      }),
    ),
    queue.enter(work(() => 'c')),
  ]);
  expect(answers).toMatchObject([{ value: 'a' }, { reason: { message: 'refused' } }, { value: 'c' }]);
  expect(waited[2]!).toBeGreaterThanOrEqual(40);
  expect(await queue.enter(() => 'again')).toBe('again');
});

it('the order of requests is kept', async () => {
  const queue = new RequestQueue();
  const seen: number[] = [];
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => queue.enter(() => seen.push(i))));
  expect(seen).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
});
