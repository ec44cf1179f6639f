import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { until } from '../support/setup.ts';
import { startProgram } from './run-program.ts';

const APPLICATIONS = ['hono', 'express', 'fastify'];
const MUG = { name: 'mug', cents: 1250 };
const CONFIRMED = {
  status: 'complete',
  steps: { price: 'complete', reserve: 'complete', confirm: 'complete' },
  confirmation: 'order O-1: mug, pen, 15 EUR',
};

interface Answer {
  status: number;
  body: { id: string; status: string; confirmation: string | null; error: string };
}

async function database(): Promise<string> {
  const { url, drop } = await freshDatabase();
  onTestFinished(drop);
  return url;
}

/** Starts an application of the examples on a free port. */
async function application(name: string, url: string) {
  const program = startProgram(path.resolve(`examples/embedded/${name}.mjs`), {
    env: { DATABASE_URL: url, PORT: '0' },
  });
  // The output includes the end of the line, so the port is complete.
  const [, base] = /listening on (\S+)\n/.exec(await program.waitForOutput('\n'))!;
  const ask = async (way: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(`${base}${way}`, init);
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  const post = (body: string) =>
    ask('/orders', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  return {
    post,
    order: (id: string) => post(JSON.stringify({ order_id: id, items: [MUG, { name: 'pen', cents: 250 }] })),
    status: (id: string) => ask(`/orders/${id}`),
    confirmed: async (id: string) =>
      (
        await until(
          () => ask(`/orders/${id}`),
          ({ body }) => body.status === 'complete',
        )
      ).body,
    async end() {
      program.kill('SIGTERM');
      return program.ended;
    },
  };
}

describe.each(APPLICATIONS)('an application with %s', (name) => {
  it('accepts orders, reports their status, and shuts down on its own signal handler', async () => {
    const app = await application(name, await database());
    const taken = await app.order('O-1');
    expect(taken).toEqual({ status: 202, body: { id: expect.any(String) } });
    expect(await app.order('O-1')).toEqual(taken); // a repeated request is processed once
    expect(await app.confirmed(taken.body.id)).toEqual({ id: taken.body.id, ...CONFIRMED });

    expect(await app.post('{"order_id": "O-2"}')).toMatchObject({ status: 400, body: { error: /items/ } });
    expect((await app.post('null')).status).toBe(400);
    expect((await app.post('{')).status).toBe(400);
    expect((await app.status('019aa000-0000-7000-8000-000000000000')).status).toBe(404);
    expect((await app.status('nonsense')).status).toBe(400);

    expect(await app.end()).toMatchObject({
      code: 0,
      signal: null,
      stderr: '',
      stdout: expect.stringMatching(/closed\n$/),
    });
  });
});

it('an order accepted just before shutdown is processed by an application of another framework', async () => {
  const url = await database();
  const taken: string[] = [];
  for (const name of APPLICATIONS) {
    const app = await application(name, url);
    for (const id of taken) expect((await app.confirmed(id)).confirmation).toMatch(/^order of-/);
    taken.push((await app.order(`of-${name}`)).body.id);
    expect((await app.end()).code).toBe(0);
  }
});

describe('a script', () => {
  const start = async () =>
    startProgram(path.resolve('examples/embedded/script.mjs'), { env: { DATABASE_URL: await database() } });
  const line = (order_id: string) => `${JSON.stringify({ order_id, items: [MUG] })}\n`;

  it('processes one order after the other, and exits on its own after the last', async () => {
    const script = await start();
    script.input.end(line('A') + line('B'));
    expect(await script.ended).toMatchObject({
      code: 0,
      stdout: 'order A: mug, 12.5 EUR\norder B: mug, 12.5 EUR\nclosed\n',
      stderr: '',
    });
  });

  it('exits on a signal that it handles while its input is still open', async () => {
    const script = await start();
    script.input.write(line('A'));
    await script.waitForOutput('order A: mug, 12.5 EUR');
    script.kill('SIGTERM');
    expect(await script.ended).toMatchObject({ code: 0, signal: null, stdout: expect.stringMatching(/closed\n$/) });
  });

  it('reports an invalid order, and lets the process exit', async () => {
    const script = await start();
    script.input.write('{"order_id": "A"}\n');
    expect(await script.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/items/) });
  });
});
