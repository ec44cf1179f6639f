import { expect, it, onTestFinished } from 'vitest';
import { BasePublisher } from '../../../src/events/publishing/base-publisher.ts';
import { PublisherRegistry } from '../../../src/events/publishing/publisher-registry.ts';
import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { DEMO, endStates, invariants, setup, template, until } from '../../support/setup.ts';

/** Counts published and failed events. */
class Counting extends BasePublisher {
  static override readonly hookArguments = 'context';
  override readonly publisherName = 'counting';
  readonly after: string[] = [];
  errors = 0;

  override afterPublish(_ctx: unknown, { eventId, metadata }: DomainEvent): void {
    this.after.push(`${eventId} ${metadata.firedAt}`);
  }

  override onPublishError(): void {
    this.errors++;
  }
}

it.each(['lost', 'answer_lost', 'cut'] as const)(
  'after a recording lost its connection (%s), each event is stored once, and its publisher and listeners are notified once',
  async (fate) => {
    const events = [
      { name: 'step.stored', publisher: 'counting' },
      { name: 'step.heard', delivery_mode: 'broadcast' },
      { name: 'step.failed', condition: 'permanent_failure', publisher: 'counting' },
    ].map((event) => ({ description: 'it happened', schema: {}, ...event }));
    const { tasker, url, sql, another } = await setup({
      templates: template({
        a: { publishes_events: events },
        b: { dependencies: ['a'], publishes_events: events.map((event) => ({ ...event, name: `${event.name}_too` })) },
      }),
      worker: false,
    });
    const proxy = await startProxy(url);
    let seen = 0;
    proxy.decide = (sent) => (sent.includes('record_steps_events') && ++seen % 3 === 1 ? fate : undefined);
    const publishers = new PublisherRegistry();
    const counting = new Counting();
    publishers.register(counting);
    const worker = await another({
      databaseUrl: proxy.url,
      logger: silentLogger,
      worker: true,
      handlers: [defineHandler('a', {}, () => ({})), defineHandler('b', {}, () => ({}))],
      publishers,
      concurrency: 4,
      pollMs: 200,
    });
    const heard: string[] = [];
    onTestFinished(worker.eventBus.subscribe((event) => heard.push(`${event.eventId} ${event.firedAt}`)));
    let created = 0;
    for (let round = 0; round === 0 || (proxy.counts[fate] < 3 && round < 10); round++) {
      const tasks = await tasker.createTasks(Array.from({ length: round === 0 ? 20 : 4 }, () => DEMO));
      created += tasks.length;
      expect(await endStates(tasker, tasks)).toEqual(['complete']);
    }
    expect(proxy.counts[fate]).toBeGreaterThan(2);
    const stored = async (name: string) =>
      (
        await sql<{ event: string }>(
          `select event_id || ' ' || tasker.iso(fired_at) event from tasker.domain_event where name like $1 order by 1`,
          [name],
        )
      ).map((row) => row.event);
    // The last commit may not be acknowledged yet. If its response was lost, the hooks run after the next response.
    await until(
      () => [counting.after.length, heard.length],
      ([after, live]) => after === 2 * created && live === 2 * created,
    );
    expect(counting.after.sort()).toEqual(await stored('step.stored%'));
    expect(heard.sort()).toEqual(await stored('step.heard%'));
    expect(counting.errors).toBe(0);
    expect(await stored('step.failed%')).toEqual([]);
    await invariants(sql);
  },
);
