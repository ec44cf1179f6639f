import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import esbuild from 'esbuild';
import { expect, it, onTestFinished, vi } from 'vitest';
import { eventRegistries } from '../../../src/app/event-registries.ts';
import { HandlerFolders } from '../../../src/app/project/handler-folders.ts';
import { WorkerServer } from '../../../src/app/server/worker-server.ts';
import { BasePublisher } from '../../../src/events/publishing/base-publisher.ts';
import { RegistryFrozenError } from '../../../src/events/publishing/publisher-errors.ts';
import { PublisherRegistry } from '../../../src/events/publishing/publisher-registry.ts';
import { createDomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { SubscriberRegistry } from '../../../src/events/subscribing/subscriber-registry.ts';
import { bootstrapWorker, stopWorker } from '../../../src/index.ts';
import { type Logger, silentLogger } from '../../../src/logging/logger.ts';
import { discoverHandlers } from '../../../src/registry/discover-handlers.ts';
import { HandlerRegistry } from '../../../src/registry/handler-registry.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { cleanProcess } from '../../support/bridge.ts';
import { projectWith } from '../../support/config-folder.ts';
import { emptyDatabase } from '../../support/database.ts';
import { LocalSource } from '../../support/events/local-source.ts';
import { DEMO, template } from '../../support/setup.ts';

const events = (version: string) => `
import { BasePublisher, BaseSubscriber } from 'tasker-core';

export abstract class ShopSubscriber extends BaseSubscriber {}
export class Audit extends ShopSubscriber {
  static subscriberName = 'audit';
  handle({ payload }: { payload: { seen: string[] } }) {
    payload.seen.push('${version}');
  }
}
export class Payments extends BasePublisher {
  static publisherName = 'payment_events';
  transformPayload() {
    return { version: '${version}' };
  }
}
`;
const handler = `
import { defineHandler } from 'tasker-core';
export const pay = defineHandler('pay', {}, () => ({}));
`;

/** A project with the package installed, which is a different copy from the one under test. */
async function project(files: Record<string, string>): Promise<string> {
  const root = projectWith(files);
  const installed = path.join(root, 'node_modules', 'tasker-core');
  mkdirSync(installed, { recursive: true });
  symlinkSync(path.resolve('node_modules'), path.join(installed, 'node_modules'));
  writeFileSync(path.join(installed, 'package.json'), '{"name":"tasker-core","type":"module","exports":"./index.js"}');
  const modules = ['events/publishing/base-publisher', 'events/subscribing/base-subscriber', 'handlers/define-handler'];
  await esbuild.build({
    stdin: {
      contents: modules.map((file) => `export * from ${JSON.stringify(path.resolve('src', `${file}.ts`))};`).join('\n'),
      resolveDir: installed,
    },
    outfile: path.join(installed, 'index.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  return root;
}

const emptyPayload = () => ({ seen: [] as string[] });
const eventOf = (payload: { seen: string[] }) =>
  createDomainEvent({
    eventId: 'e',
    eventName: 'a.b',
    payload: payload as Record<string, unknown>,
    metadata: {},
    executionResult: { success: true },
  });

it('publishers and subscribers exported by a handlers folder are registered, and replaced on reload', async () => {
  const root = await project({ 'handlers/events.ts': events('one'), 'handlers/pay.ts': handler });
  const registries = eventRegistries({}, silentLogger);
  const folders = new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: registries });
  const { publishers, subscribers } = registries;
  const source = new LocalSource();
  subscribers.startAll(source);

  await folders.load();
  expect(publishers.registeredNames).toEqual(['payment_events']);
  expect(subscribers.stats.subscribers.map(({ subscriberName, active }) => [subscriberName, active])).toEqual([
    ['audit', true],
  ]);
  const [before] = subscribers.listSubscribers();
  await folders.load();
  expect(subscribers.listSubscribers()).toEqual([before]);

  writeFileSync(path.join(root, 'handlers/events.ts'), events('two'));
  await folders.load();
  const payload = emptyPayload();
  source.emit(eventOf(payload));
  await subscribers.stopAll();
  expect(payload.seen).toEqual(['two']);
  expect(publishers.get('payment_events')?.publish({ eventName: 'a.b', stepResult: { success: true } })).toBe(true);

  writeFileSync(path.join(root, 'handlers/events.ts'), 'export const nothing = 1;');
  await folders.load();
  expect([publishers.count, subscribers.count]).toEqual([0, 0]);
});

it('an export that is already registered by hand is kept, and a file that exports only events is listed without handlers', async () => {
  const root = await project({ 'handlers/events.ts': events('one') });
  const registries = eventRegistries({}, silentLogger);
  const folders = new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: registries });
  await folders.load();
  const [publisher] = registries.publishers.listPublishers();
  const [subscriber] = registries.subscribers.listSubscribers();
  const own = eventRegistries({ publishers: publisher!, subscribers: subscriber! }, silentLogger);
  await new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: own }).load();
  expect(own.publishers.listPublishers()).toEqual([publisher]);
  expect(own.subscribers.listSubscribers()).toEqual([subscriber]);

  const registry = new HandlerRegistry();
  const take = (exported: unknown) => (typeof exported === 'function' ? exported.name : undefined);
  const { files } = await discoverHandlers(path.join(root, 'handlers'), { registry, also: take });
  expect(files).toEqual([{ file: path.join(root, 'handlers/events.ts'), handlers: [] }]);
});

it('a frozen registry accepts a new version of a publisher, but rejects a reload that adds or removes publishers', async () => {
  const root = await project({ 'handlers/events.ts': events('one'), 'handlers/pay.ts': handler });
  const registries = eventRegistries({}, silentLogger);
  const { publishers, subscribers } = registries;
  let folders = new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: registries });
  const version = () => publishers.get('payment_events')?.transformPayload({ success: true });
  await folders.load();
  publishers.validateRequired(['payment_events']);

  writeFileSync(path.join(root, 'handlers/events.ts'), events('two'));
  await folders.load();
  expect(version()).toEqual({ version: 'two' });
  // Simulates a worker that is stopped and restarted in the same process.
  await folders.leave();
  expect([version(), subscribers.count]).toEqual([{ version: 'two' }, 0]);
  folders = new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: registries });
  await folders.load();
  expect(version()).toEqual({ version: 'two' });
  expect(() => publishers.clear()).toThrow(RegistryFrozenError);

  const before = subscribers.listSubscribers();
  writeFileSync(path.join(root, 'handlers/events.ts'), events('three').replace('payment_events', 'order_events'));
  writeFileSync(path.join(root, 'handlers/pay.ts'), handler.replaceAll('pay', 'charge'));
  await expect(folders.load()).rejects.toThrow(
    'the publisher registry is frozen, and order_events would be added and payment_events be removed; call unfreeze() first, or restart',
  );
  expect([version(), folders.registry.listHandlers()]).toEqual([{ version: 'two' }, ['pay']]);
  expect(subscribers.listSubscribers()).toEqual(before);

  publishers.unfreeze();
  await folders.load();
  expect([publishers.registeredNames, folders.registry.listHandlers()]).toEqual([['order_events'], ['charge']]);
});

it('a reload with an invalid subscriber changes nothing, and the running subscribers continue', async () => {
  const other = events('other').replaceAll('audit', 'counts').replaceAll('payment_events', 'order_events');
  const root = await project({
    'handlers/events.ts': events('one'),
    'handlers/other.ts': other,
    'handlers/pay.ts': handler,
  });
  const registries = eventRegistries({}, silentLogger);
  const folders = new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: registries });
  const { publishers, subscribers } = registries;
  const source = new LocalSource();
  subscribers.startAll(source);
  await folders.load();
  const before = [...publishers.listPublishers(), ...subscribers.listSubscribers()];

  writeFileSync(path.join(root, 'handlers/pay.ts'), handler.replaceAll('pay', 'charge'));
  const wrong = events('two').replace("'audit';", "'audit'; static delivery = { timeout: 60_000 };");
  writeFileSync(path.join(root, 'handlers/events.ts'), wrong);
  await expect(folders.load()).rejects.toMatchObject({
    code: 'subscriber_invalid',
    message: 'subscriber audit: delivery option timeout is unknown; did you mean timeoutMs?',
  });
  expect([...publishers.listPublishers(), ...subscribers.listSubscribers()]).toEqual(before);
  expect(folders.registry.listHandlers()).toEqual(['pay']);
  const payload = emptyPayload();
  source.emit(eventOf(payload));
  await expect.poll(() => payload.seen).toEqual(['one', 'other']);

  writeFileSync(path.join(root, 'handlers/events.ts'), events('two'));
  await folders.load();
  const after = emptyPayload();
  source.emit(eventOf(after));
  await expect.poll(() => after.seen.toSorted()).toEqual(['other', 'two']);
  expect(folders.registry.listHandlers()).toEqual(['charge']);
  await subscribers.stopAll();
});

it("when the last worker of a folder leaves, the folder's exports are removed, but not publishers registered by hand", async () => {
  const root = await project({ 'handlers/events.ts': events('one'), 'handlers/pay.ts': handler });
  class ByHand extends BasePublisher {
    static override publisherName = 'by_hand';
  }
  const registries = eventRegistries({ publishers: ByHand }, silentLogger);
  const { publishers, subscribers } = registries;
  const open = () => new HandlerFolders([path.join(root, 'handlers')], { logger: silentLogger, events: registries });
  const [one, two] = [open(), open()];
  await one.load();
  const there = [publishers.listPublishers(), subscribers.listSubscribers()];
  await two.load();
  await one.leave();
  expect([publishers.listPublishers(), subscribers.listSubscribers()]).toEqual(there);
  await two.leave();
  await two.leave();
  expect([publishers.registeredNames, subscribers.count, two.registry.listHandlers()]).toEqual([['by_hand'], 0, []]);
});

/** The source of a publisher of this version and a handler, with `more` code. */
const publishing = (version: string, more = '') => `${events(version)}${handler}${more}`;
const paid = { name: 'payment.made', description: 'paid', schema: {}, publisher: 'payment_events' };
const found = () => [PublisherRegistry.instance.registeredNames, SubscriberRegistry.instance.count];

/** A worker server with its own database and the handlers of a project, not started. */
async function serving(root: string, logger: Logger = silentLogger): Promise<WorkerServer> {
  const database = await emptyDatabase();
  const server = new WorkerServer({
    databaseUrl: database.url,
    logger,
    templates: [template({ pay: { publishes_events: [paid] } })],
    handlers: [path.join(root, 'handlers')],
    web: false,
  });
  onTestFinished(async () => {
    await server.shutdown({ drainTimeoutMs: 100 });
    await database.drop();
  });
  return server;
}

it('a restarted worker server uses the current handlers, publishers and subscribers of its folders', async () => {
  const root = await project({ 'handlers/all.ts': publishing('one', handler.replaceAll('pay', 'refund')) });
  const server = await serving(root);
  const registry = server.getHandlerSystem();
  const published = async () => {
    const tasker = server.tasker!;
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { at: Math.random() } });
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    return (await tasker.events.list({ taskUuid })).map(({ payload }) => payload);
  };
  await server.start();
  expect(await published()).toEqual([{ version: 'one' }]);
  await server.shutdown();
  expect([found(), registry.listHandlers()]).toEqual([[[], 0], []]);

  writeFileSync(path.join(root, 'handlers/all.ts'), publishing('two'));
  await server.start();
  expect(await published()).toEqual([{ version: 'two' }]);
  expect([found(), registry.listHandlers()]).toEqual([[['payment_events'], 1], ['pay']]);
});

it('a reload of a worker server warns about broken files and missing publishers', async () => {
  const root = await project({ 'handlers/all.ts': publishing('one') });
  const { logger, lines } = collectingLogger();
  const server = await serving(root, logger);
  await server.start();
  const reloaded = async (source: string) => {
    lines.length = 0;
    writeFileSync(path.join(root, 'handlers/all.ts'), source);
    await server.reload();
    return lines
      .filter(({ level }) => level === 'info' || level === 'warn')
      .map((line) => `${line.level} ${line.message}`);
  };
  const whole = 'info templates and handlers reloaded';
  expect(await reloaded(publishing('two').replace("'audit';", "'audit'; static delivery = { timeout: 1 };"))).toEqual([
    'warn error: subscriber audit: delivery option timeout is unknown; did you mean timeoutMs?',
    'warn the earlier handlers stay in use',
  ]);
  const missing =
    'no publisher is registered for payment_events (test/demo@1.0.0: step pay, event payment.made); did you mean payment_event?';
  const renamed = publishing('two').replace("'payment_events'", "'payment_event'");
  expect(await reloaded(renamed)).toEqual(['info reloaded 1 handler', `warn ${missing}`, whole]);
  expect(await reloaded(`${renamed}\n`)).toEqual(['info reloaded 1 handler', whole]);
  expect(await reloaded(publishing('three'))).toEqual([
    'info reloaded 1 handler',
    'info every event has its publisher',
    whole,
  ]);
});

it('a worker restarted with stopWorker and bootstrapWorker uses the current publishers and subscribers of its folder', async () => {
  const root = await project({ 'handlers/all.ts': publishing('one') });
  const database = await emptyDatabase();
  cleanProcess();
  onTestFinished(() => database.drop());
  vi.stubEnv('TASKER_HANDLER_PATH', path.join(root, 'handlers'));
  onTestFinished(() => void vi.unstubAllEnvs());
  const start = () => bootstrapWorker({ databaseUrl: database.url, logLevel: 'error' });
  const version = () => PublisherRegistry.instance.get('payment_events')?.transformPayload({ success: true });
  expect(await start()).toMatchObject({ status: 'started' });
  expect([found(), version()]).toEqual([[['payment_events'], 1], { version: 'one' }]);
  await stopWorker();
  expect(found()).toEqual([[], 0]);

  writeFileSync(path.join(root, 'handlers/all.ts'), publishing('two'));
  expect(await start()).toMatchObject({ status: 'started' });
  expect(version()).toEqual({ version: 'two' });
});
