import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { sinksFromConfig } from '../../../src/events/sinks/all-sinks.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { projectWith } from '../../support/config-folder.ts';

const sinksOf = (toml: string) =>
  sinksFromConfig(loadConfig({ cwd: projectWith({ 'tasker.toml': toml }), env: {} }).config, silentLogger);

describe('the sinks of a configuration', () => {
  it('are empty if it defines none', () => {
    expect(sinksOf('')).toEqual([]);
  });

  it('are its webhooks and RabbitMQ, with the general delivery options as defaults', () => {
    const sinks = sinksOf(`
[events]
timeout_seconds = 20
concurrency = 3
[[events.webhooks]]
name = "billing"
url = "https://billing.example"
timeout_seconds = 5
[events.rabbitmq]
url = "amqp://broker.example"
patterns = ["payment.*"]
from = "beginning"
max_deliveries = 4
`);
    expect(sinks).toMatchObject([
      { group: 'webhook:billing', patterns: ['*'], timeoutMs: 5000, concurrency: 3, maxDeliveries: 300 },
      {
        group: 'rabbitmq',
        patterns: ['payment.*'],
        from: 'beginning',
        timeoutMs: 20_000,
        concurrency: 3,
        maxDeliveries: 4,
      },
    ]);
  });

  it('match the example in the guide', () => {
    const page = readFileSync('docs/guide/event-sinks.md', 'utf8').replaceAll('\r\n', '\n');
    const blocks = [...page.matchAll(/^```toml\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);
    const secret = `whsec_${Buffer.alloc(32).toString('base64')}`;
    const env = { TASKER_WEBHOOK_BILLING_SECRET: secret, RABBITMQ_URL: 'amqp://broker' };
    const { config, warnings } = loadConfig({ cwd: projectWith({ 'tasker.toml': blocks.join('\n') }), env });
    expect(warnings).toEqual([]);
    expect(sinksFromConfig(config, silentLogger).map(({ group }) => group)).toEqual(['webhook:billing', 'rabbitmq']);
  });

  it('are rejected if two of them have the same group', () => {
    const toml = `
[[events.webhooks]]
name = "a"
url = "https://a.example"
group = "rabbitmq"
[events.rabbitmq]
url = "amqp://broker.example"
`;
    expect(() => sinksOf(toml)).toThrow('events: two sinks have the group rabbitmq and would share its events');
  });
});
