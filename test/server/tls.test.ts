import { request } from 'node:https';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../../src/server/listen.ts';
import { selfSigned } from '../support/rest/certificate.ts';

const app = { fetch: (asked: Request) => new Response(new URL(asked.url).protocol) };
const address = { host: '127.0.0.1', port: 0 };

it('a server with a certificate accepts only https', async () => {
  const tls = selfSigned();
  const server = await listen(app, address, { tls });
  onTestFinished(() => server.close());
  expect(server.url).toMatch(/^https:/);
  const text = await new Promise<string>((resolve, reject) => {
    request(server.url, { ca: tls.cert }, (answer) => {
      answer.setEncoding('utf8').on('data', resolve);
    })
      .once('error', reject)
      .end();
  });
  expect(text).toBe('https:');
  await expect(fetch(server.url.replace('https', 'http'))).rejects.toThrow();
});

it('an unusable certificate is reported as a mistake in the configuration', async () => {
  const { cert, key } = selfSigned();
  const wrong = [
    { cert: Buffer.from('x'), key },
    { cert, key: selfSigned().key },
  ];
  for (const tls of wrong)
    await expect(listen(app, address, { tls })).rejects.toMatchObject({ code: 'config_invalid' });
});
