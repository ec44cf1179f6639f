import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

const CHAIN = { a: [], b: ['a'], c: ['b'] };
const EVENT = { name: 'step.done', description: 'it is done', schema: {} };
const handlers = Object.keys(CHAIN).map((name) => defineHandler(name, {}, () => ({ done: name })));

/** Returns the names of the statements with which a worker recorded a task, and the text of all its statements. */
async function statementsOf(steps: Parameters<typeof template>[0]) {
  const { tasker, url, another } = await setup({ templates: template(steps), worker: false });
  const proxy = await startProxy(url);
  const worker = await another({ worker: true, handlers, databaseUrl: proxy.url });
  const sent: string[] = [];
  proxy.decide = (chunk) => {
    sent.push(chunk.toString('latin1'));
    return undefined;
  };
  const { taskUuid } = await tasker.createTask(DEMO);
  expect(await tasker.waitForTask(taskUuid)).toMatchObject({ status: 'complete' });
  await worker.stop();
  const text = sent.join('');
  const names = [...text.matchAll(/\/\* (\w+) \*\//g)].map(([, name]) => name!);
  return { text, recordings: [...new Set(names)].filter((name) => name.startsWith('record_')).sort() };
}

it('steps that declare no event are recorded without a statement that touches the event log', async () => {
  const { text, recordings } = await statementsOf(CHAIN);
  expect(recordings).toEqual(['record_steps']);
  expect(text).not.toMatch(/domain_event|event_head|event_chunk|event_cursor/);
});

it('steps that declare an event are recorded by a separate statement', async () => {
  const declared = Object.entries(CHAIN).map(([name, dependencies]) => [
    name,
    { dependencies, publishes_events: [EVENT] },
  ]);
  const { text, recordings } = await statementsOf(Object.fromEntries(declared));
  expect(recordings).toContain('record_steps_events');
  expect(text).toMatch(/insert into tasker\.domain_event/);
});
