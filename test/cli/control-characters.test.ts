import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { projectOnDatabase } from './installation.ts';

/** Text that sets the title of a terminal, clears it, changes its color, reorders its text and adds a line. */
const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202egnp\u2066\r\n✔ forged line';
const LINE = EVIL.slice(0, EVIL.indexOf('\r'));
const SHOWN = '\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\u202egnp\\u2066';

const FAILS = `name: fails
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
description: ${JSON.stringify(EVIL)}
lifecycle: { max_waiting_for_retry_minutes: 1 }
steps:
  - { name: fail, handler: fail, description: ${JSON.stringify(EVIL)} }
`;
const WAITS = `name: waits
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
steps:
  - { name: agree, type: approval, approval: { title: ${JSON.stringify(EVIL)}, quorum: 2 } }
  - { name: pay, type: signal, signal: { name: paid, timeout: 7d } }
`;
const HANDLERS = `import { defineHandler, PermanentError } from 'tasker-core';
const EVIL = ${JSON.stringify(EVIL)};
export const fail = defineHandler('fail', {}, async ({ logger }) => {
  logger.warn({ who: EVIL }, EVIL);
  throw new PermanentError(EVIL);
});
`;

const on = projectOnDatabase({
  'templates/fails.yaml': FAILS,
  'templates/waits.yaml': WAITS,
  'handlers/fail.js': HANDLERS,
});
const ids = { failed: '', waiting: '', entry: '', signal: '' };

beforeAll(async () => {
  const { folder } = on.project;
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: `${folder}/templates`,
    handlers: `${folder}/handlers`,
    logger: silentLogger,
  });
  const request = {
    namespace: 'demo',
    initiator: EVIL,
    sourceSystem: EVIL,
    reason: EVIL,
    tags: [LINE],
    context: { k: EVIL },
  };
  ids.failed = (await tasker.createTask({ ...request, name: 'fails' })).taskUuid;
  ids.waiting = (await tasker.createTask({ ...request, name: 'waits' })).taskUuid;
  await vi.waitFor(
    async () => {
      expect((await tasker.getTask(ids.failed)).status).toBe('blocked_by_failures');
      expect((await tasker.getTask(ids.waiting)).status).toBe('waiting');
    },
    { timeout: 30_000, interval: 50 },
  );
  const by = { actor: LINE, reason: EVIL };
  await tasker.approvals.vote(ids.waiting, 'agree', {
    decision: 'approve',
    by: LINE,
    comment: EVIL,
    form: { a: EVIL },
  });
  await tasker.approvals.reassign(ids.waiting, 'agree', { to: [LINE, EVIL], by: LINE, reason: EVIL });
  await tasker.approvals.vote(ids.waiting, 'agree', { decision: 'approve', by: LINE, comment: EVIL });
  const sent = await tasker.signal(ids.waiting, 'paid', { payload: { a: EVIL }, by: LINE, idempotencyKey: LINE });
  ids.signal = sent.signalId;
  const entry = await tasker.deadLetters.add(ids.failed, { ...by, assignee: LINE });
  ids.entry = entry.dlqEntryUuid;
  await tasker.deadLetters.update([ids.entry], { note: EVIL }, by);
  await tasker.pause({ task: ids.waiting }, by);
  await tasker.stop();
});

/** Returns the commands that show text from users, with the values of this test. */
function commands(): string[][] {
  return [
    ['task', 'list'],
    ['task', 'list', '--initiator', EVIL],
    ['task', 'list', '--initiator', `no ${EVIL}`],
    ['task', 'get', ids.failed],
    ['task', 'get', ids.waiting],
    ['task', 'get', EVIL],
    ['task', 'why', ids.failed],
    ['task', 'why', ids.waiting],
    ['task', 'summary'],
    ['task', 'watch', ids.failed],
    ['task', 'retry', '--initiator', EVIL, '--dry-run'],
    ['task', 'list', '--status', EVIL],
    ['step', 'list', ids.failed],
    ['step', 'list'],
    ['step', 'get', ids.failed, 'fail'],
    ['step', 'get', ids.failed, EVIL],
    ['step', 'history', ids.failed],
    ['step', 'logs', ids.failed, 'fail'],
    ['dlq', 'list'],
    ['dlq', 'show', ids.entry],
    ['dlq', 'stats'],
    ['approval', 'list'],
    ['approval', 'list', '--task', ids.waiting],
    ['approval', 'show', ids.waiting, 'agree'],
    ['approval', 'approve', ids.waiting, 'agree', '--by', `not ${EVIL}`],
    ['signal', 'list', ids.waiting],
    ['signal', 'show', ids.signal],
    ['audit', 'list'],
    ['audit', 'list', '--actor', EVIL],
    ['pause', 'list'],
    ['template', 'show', 'demo/fails'],
    ['template', 'list'],
    ['stats'],
    ['status'],
    [EVIL],
  ];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the codes of picocolors
const COLORS = /\u001b\[(?:1|2|22|3[1-6]|39)m/g;

describe('values from users on a terminal', () => {
  it('are escaped by every command, and cannot look like further lines', { timeout: 120_000 }, async () => {
    for (const args of commands()) {
      const { stdout, stderr } = await on.project.run(args);
      const output = `${stdout}${stderr}`;
      expect.soft(output, args.join(' ')).not.toMatch(CONTROLS);
      if (!args.includes(EVIL)) expect.soft(output, args.join(' ')).not.toMatch(/^✔ forged line/m);
    }
  });

  it('are shown in a readable form', async () => {
    const { stdout } = await on.project.run(['task', 'get', ids.failed]);
    expect(stdout).toContain(`by ${SHOWN}\n             ✔ forged line\n`);
  });

  it('are escaped among the colors of the command line', async () => {
    const env = { FORCE_COLOR: '1' };
    const running = on.project.start(['task', 'list'], { env });
    const { stdout } = await running.ended;
    expect(stdout).toMatch(COLORS);
    expect(stdout).toContain(SHOWN);
    expect(stdout.replaceAll(COLORS, '')).not.toMatch(CONTROLS);
  });

  it('are the same values in JSON, whose text has no control characters either', async () => {
    for (const args of [
      ['task', 'get', ids.failed],
      ['approval', 'show', ids.waiting, 'agree'],
      ['audit', 'list'],
    ]) {
      const { stdout } = await on.project.run([...args, '--json']);
      expect(stdout).not.toMatch(CONTROLS);
      expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(EVIL).slice(1, -1));
    }
  });
});
