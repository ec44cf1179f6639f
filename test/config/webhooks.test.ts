import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { shownValues } from '../../src/config/show/show-config.ts';
import { projectWith, thrownBy } from '../support/config-folder.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const load = (toml: string, env: NodeJS.ProcessEnv = {}) =>
  loadConfig({ cwd: projectWith({ 'tasker.toml': toml }), env });

const TWO = `[[events.webhooks]]
name = "billing"
url = "https://billing.example/hooks/3f9"
secrets = ["\${TASKER_WEBHOOK_BILLING}"]

[events.webhooks.headers]
authorization = "Bearer \${TASKER_WEBHOOK_TOKEN}"

[[events.webhooks]]
name = "search"
url = "http://search.internal:9200/events"
allow_private = true
body = "envelope"
group = "search-index"
patterns = ["product.*"]
from = "beginning"
concurrency = 2
timeout_seconds = 2.5
max_deliveries = 7
`;
const ENV = { TASKER_WEBHOOK_BILLING: SECRET, TASKER_WEBHOOK_TOKEN: 't0ken' };

describe('webhooks in the file', () => {
  it('each webhook is a table, and its secrets may come from variables', () => {
    const { config, warnings } = load(TWO, ENV);
    expect(warnings).toEqual([]);
    expect(config.webhooks).toEqual([
      {
        name: 'billing',
        url: 'https://billing.example/hooks/3f9',
        secrets: [SECRET],
        headers: { authorization: 'Bearer t0ken' },
      },
      {
        name: 'search',
        url: 'http://search.internal:9200/events',
        allowPrivate: true,
        body: 'envelope',
        group: 'search-index',
        patterns: ['product.*'],
        from: 'beginning',
        concurrency: 2,
        timeoutMs: 2500,
        maxDeliveries: 7,
      },
    ]);
  });

  it('webhooks are shown without secrets, and their URLs only up to the host', () => {
    const { value, source } = shownValues(load(TWO, ENV)).find(({ name }) => name === 'webhooks')!;
    expect(value).toMatchObject([
      { url: 'https://billing.example/***', secrets: ['***'], headers: { authorization: '***' } },
      { url: 'http://search.internal:9200/***' },
    ]);
    expect(JSON.stringify(value)).not.toMatch(/whsec_|t0ken|3f9/);
    expect(source).toEqual({ from: 'file', name: 'events.webhooks', file: 'tasker.toml', line: 1 });
  });

  it.each([
    [
      'url = "https://a.example"',
      'url = "https://user:pw@a.example"',
      2,
      '[0].url must be an http or https URL without',
    ],
    ['url = "https://a.example"', 'url = "ftp://a.example"', 2, '[0].url must be an http or https URL without'],
    ['url = "https://a.example"\n', '', 1, '[0].url must be an http or https URL without'],
    ['"whsec_', '"', 8, '[1].secrets[0] must be `whsec_` and the base64 of 24 to 64 random bytes'],
    ['secrets', 'secret', 8, '[1] has unknown key secret; did you mean secrets?'],
    ['x-team = ', 'webhook-id = ', 9, '[1].headers must be a table of headers'],
    ['name = "b"', 'name = "b"\npatterns = ["x[z-a]"]', 7, '[1].patterns must be a list of event names or patterns'],
    ['"b"', '"b c"', 6, '[1].name must be a name of letters'],
    ['"b"', '"a"', 1, ' must be a list in which each name occurs once'],
    ['name = "b"', 'name = "b"\ngroup = "webhook:a"', 1, ' must be a list in which each group occurs once'],
  ])('an invalid value is reported with its line and path: %s → %s', (from, to, line, message) => {
    const right = `[[events.webhooks]]
url = "https://a.example"
name = "a"

[[events.webhooks]]
name = "b"
url = "https://b.example"
secrets = ["${SECRET}"]
[events.webhooks.headers]
x-team = "orders"
`;
    expect(load(right).warnings).toEqual([]);
    const { message: actual } = thrownBy(() => load(right.replace(from, to)));
    expect(actual).toMatch(/^[^\n]+$/);
    expect(actual).toContain(`tasker.toml:${line}: events.webhooks${message}`);
    expect(actual).not.toContain('pw');
    expect(actual).not.toContain(SECRET.slice(6));
  });

  it.each([
    ['webhooks = ["https://a.example"]', '[0] must be a table with a name and a url'],
    ['webhooks = "https://a.example"', ' must be a list of tables, each with a name and a url'],
  ])('reports a webhook that is not a table: %s', (line, message) => {
    const { message: actual } = thrownBy(() => load(`[events]\n${line}\n`));
    expect(actual).toContain(`tasker.toml:2: events.webhooks${message}`);
    expect(actual).not.toContain('Invalid input');
  });

  it('a RabbitMQ URL is shown without its password', () => {
    const loaded = load(`[events.rabbitmq]\nurl = "\${RABBITMQ_URL}"\n`, {
      RABBITMQ_URL: 'amqp://shop:s3cret@broker/v',
    });
    expect(loaded.config.rabbitmqUrl).toBe('amqp://shop:s3cret@broker/v');
    expect(shownValues(loaded).find(({ name }) => name === 'rabbitmqUrl')!.value).toBe('amqp://shop:***@broker/v');
  });
});
