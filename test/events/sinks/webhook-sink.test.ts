import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deliveryFailureOf } from '../../../src/events/delivery/deliver.ts';
import { Halt } from '../../../src/events/halt.ts';
import { postJson } from '../../../src/events/sinks/post-json.ts';
import { type WebhookSinkOptions, webhookSink } from '../../../src/events/sinks/webhook-sink.ts';
import { httpReceiver, type Received } from '../../support/events/http-receiver.ts';
import { deliveryContext, loggedEvent } from '../../support/events/logged-event.ts';

const [OLD, NEW] = [1, 2].map((byte) => Buffer.alloc(32, byte));
const whsec = (key: Buffer) => `whsec_${key.toString('base64')}`;

function sinkTo(url: string, options: Partial<WebhookSinkOptions> = {}) {
  const sink = webhookSink({ name: 'billing', url, allowPrivate: true, ...options });
  onTestFinished(() => sink.close?.());
  return sink;
}

/** Verifies the signature like a receiver that knows only the specification. */
function isSignedBy({ headers, body }: Received, key: Buffer): boolean {
  const signed = [headers['webhook-id'], headers['webhook-timestamp'], body].join('.');
  const expected = createHmac('sha256', key).update(signed, 'utf8').digest();
  return String(headers['webhook-signature'])
    .split(' ')
    .map((one) => one.split(',') as [string, string])
    .some(([version, signature]) => {
      const given = Buffer.from(signature, 'base64');
      return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
    });
}

async function failureOf(delivery: Promise<void>): Promise<Error> {
  return delivery.then(
    () => expect.fail('it was delivered'),
    (error: unknown) => error as Error,
  );
}

describe('a webhook', () => {
  it('receives the event as JSON, signed with each secret', async () => {
    const { url, received } = await httpReceiver();
    const sink = sinkTo(`${url}?shop=1`, {
      secrets: [whsec(OLD!), whsec(NEW!)],
      headers: { authorization: 'Bearer t' },
    });
    const event = loggedEvent();
    await sink.deliver(event, deliveryContext());

    const [one] = received;
    expect(one!.url).toBe('/in?shop=1');
    expect(JSON.parse(one!.body)).toEqual({
      type: 'payment.processed',
      timestamp: '2026-01-02T03:04:05.678Z',
      data: { transaction_id: 'T-1', amount: 12.5, note: 'für Ada' },
      event_id: event.eventId,
      event_version: '1.0',
      metadata: {
        processor: 'stripe',
        task_uuid: event.taskUuid,
        step_uuid: event.stepUuid,
        step_name: 'charge',
        namespace: 'shop',
        correlation_id: event.correlationId,
        fired_at: '2026-01-02T03:04:05.678Z',
        fired_by: 'charge',
      },
    });
    expect(one!.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': event.eventId,
      authorization: 'Bearer t',
    });
    expect(Math.abs(Number(one!.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(300);
    expect([OLD!, NEW!, Buffer.alloc(32, 3)].map((key) => isSignedBy(one!, key))).toEqual([true, true, false]);
  });

  it('receives the whole envelope if configured, and no signature without a secret', async () => {
    const { url, received } = await httpReceiver();
    await sinkTo(url, { body: 'envelope' }).deliver(loggedEvent(), deliveryContext());
    expect(received[0]!.body).toBe('{"event_id":"whole"}');
    expect(received[0]!.headers).not.toHaveProperty('webhook-signature');
  });

  it('has its own group, whose name can be set', () => {
    expect(sinkTo('https://a.example')).toMatchObject({
      group: 'webhook:billing',
      patterns: ['*'],
      maxDeliveries: 300,
    });
    const options = {
      group: 'b',
      patterns: ['a.*'],
      from: 'beginning',
      concurrency: 2,
      timeoutMs: 9,
      maxDeliveries: 3,
    } as const;
    expect(sinkTo('https://a.example', options)).toMatchObject(options);
  });

  it.each([
    [{ name: undefined }, 'webhook: name must consist of'],
    [{ group: 'a\0b' }, 'webhook billing: group must be a string of 1 to 255 characters'],
    [{ group: 'x'.repeat(256) }, 'webhook billing: group must be a string of 1 to 255 characters'],
    [{ secrets: whsec(NEW!) }, 'webhook billing: secrets must be a list'],
    [{ headers: null }, 'webhook billing: headers must be an object with string values'],
    [{ headers: 'x' }, 'webhook billing: headers must be an object with string values'],
    [{ allowPrivate: 'false' }, 'webhook billing: allowPrivate must be true or false'],
  ])('is rejected with the invalid options %j', (options, message) => {
    const make = () => webhookSink({ name: 'billing', url: 'https://a.example', ...(options as object) });
    expect(make).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) }),
    );
  });

  it.each([
    [500, {}, false, undefined],
    [503, { 'retry-after': '7' }, false, 7000],
    [429, { 'retry-after': '120' }, false, 120_000],
    [404, {}, false, undefined],
    [410, {}, true, undefined],
    [422, { 'retry-after': '7' }, true, undefined],
    [400, {}, true, undefined],
  ])(
    'fails the delivery if it responds %i %o: permanent %s, retried after %s ms',
    async (status, headers, permanent, retryAfterMs) => {
      const { url } = await httpReceiver((response) => response.writeHead(status, headers).end('why'));
      const error = await failureOf(sinkTo(`${url}/s3cret`).deliver(loggedEvent(), deliveryContext()));
      expect(deliveryFailureOf(error)).toEqual({ permanent, retryAfterMs });
      expect(error.message).toContain(`webhook billing: http://127.0.0.1:`);
      expect(error.message).toContain(`returned ${status}`);
      expect(error.message).not.toMatch(/s3cret|why/);
    },
  );

  it('does not follow redirects', async () => {
    const inside = await httpReceiver();
    const { url } = await httpReceiver((response) => response.writeHead(307, { location: `${inside.url}/key` }).end());
    const error = await failureOf(sinkTo(url).deliver(loggedEvent(), deliveryContext()));
    expect(error.message).toContain(
      `returned 307, a redirect to http://127.0.0.1:${inside.port}/***; redirects are not`,
    );
    expect(inside.received).toEqual([]);
    expect(deliveryFailureOf(error).permanent).toBe(false);
  });

  it.each(['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0x7f.1', '2130706433', '0'])(
    'is rejected with the address %s unless private addresses are allowed',
    async (host) => {
      const { port, received } = await httpReceiver();
      const sink = sinkTo(`http://${host}:${port}/`, { allowPrivate: false });
      const error = await failureOf(sink.deliver(loggedEvent(), deliveryContext()));
      expect(error.message).toMatch(
        /not a public address; allow_private = true \(allowPrivate: true in a program\) allows it$/,
      );
      expect(received).toEqual([]);
    },
  );

  it('is reached only at the checked addresses, even if its name resolves differently later', async () => {
    const { port, received } = await httpReceiver();
    const agent = new Agent();
    const url = new URL(`http://moved.invalid:${port}/`);
    const addresses = [{ address: '127.0.0.1', family: 4 }];
    const { signal } = new AbortController();
    expect(await postJson({ url, addresses, headers: {}, body: '{}', agent, signal })).toMatchObject({ status: 200 });
    expect(received[0]!.headers.host).toBe(`moved.invalid:${port}`);
  });

  it('is aborted at the timeout if it does not respond', async () => {
    const halt = new Halt();
    let onClose = (): void => {};
    const closed = new Promise<void>((resolve) => {
      onClose = resolve;
    });
    const { url } = await httpReceiver((response) => {
      response.on('close', onClose);
      halt.halt(new Error('took too long'));
    });
    const delivery = sinkTo(url).deliver(loggedEvent(), deliveryContext({ halt }));
    await expect(delivery).rejects.toThrow(/cannot be reached/);
    await closed;
  });

  it('is retried if it refuses connections', async () => {
    const { url } = await httpReceiver();
    const sink = sinkTo(url.replace(/:\d+/, ':9'));
    const error = await failureOf(sink.deliver(loggedEvent(), deliveryContext()));
    expect(error.message).toMatch(/cannot be reached: .*ECONNREFUSED/);
    expect(deliveryFailureOf(error).permanent).toBe(false);
  });

  it.each(['a body without end', 'a body that stalls'])(
    'receives an event successfully if it responds with %s',
    async (how) => {
      const { url, received } = await httpReceiver((response) => {
        response.writeHead(200);
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        if (how === 'a body that stalls') response.write('x');
        else more();
        response.on('drain', more);
      });
      const sink = sinkTo(url);
      await sink.deliver(loggedEvent(), deliveryContext());
      await sink.deliver(loggedEvent(), deliveryContext());
      expect(received).toHaveLength(2);
    },
  );

  it('is called over one connection, or over a new one after the receiver closed it', async () => {
    const sockets = new Set<{ destroy(): void; readonly destroyed: boolean }>();
    const { url, received } = await httpReceiver((response) => {
      sockets.add(response.socket!);
      response.end();
    });
    const sink = sinkTo(url);
    for (let time = 0; time < 3; time++) await sink.deliver(loggedEvent(), deliveryContext());
    expect(new Set(received.map(({ from }) => from)).size).toBe(1);
    const [socket] = sockets;
    const closed = once(socket as unknown as NodeJS.EventEmitter, 'close');
    socket!.destroy();
    const next = sink.deliver(loggedEvent(), deliveryContext());
    await closed;
    await next;
    expect(received).toHaveLength(4);
  });

  it.each([
    [{ url: 'ftp://a.example' }, 'url must be an http or https URL'],
    [{ url: 'https://user:pw@a.example' }, 'url must be an http or https URL'],
    [{ url: 'a.example' }, 'url must be an http or https URL'],
    [{ secrets: ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] }, 'secrets[0] must be `whsec_`'],
    [{ secrets: ['whsec_c2hvcnQ='] }, 'secrets[0] must be `whsec_`'],
    [{ headers: { 'webhook-id': '1' } }, 'headers: webhook-id must be a header that the delivery does not set'],
    [{ headers: { 'x-a': 'a\r\nx-b: c' } }, 'headers: x-a must be'],
    [{ name: 'a b' }, 'name must consist of'],
    [{ patterns: [] }, 'patterns must be'],
    [{ maxDeliveries: 0 }, 'maxDeliveries must be a whole number from 1 to 100000, got 0'],
    [{ concurrency: 1.5 }, 'concurrency must be a whole number from 1 to 1000, got 1.5'],
    [{ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, 'secret is unknown; did you mean secrets?'],
    [
      { retries: 3 },
      'retries is unknown; the options are name, url, secrets, headers, body, allowPrivate, group, patterns',
    ],
  ])('is rejected when it is created with %o', (options, message) => {
    const make = () => webhookSink({ name: 'billing', url: 'https://a.example', ...options });
    expect(make).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) }),
    );
    expect(make).not.toThrow(/pw|c2hvcnQ|MfKQ/);
  });
});
