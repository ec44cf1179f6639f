import { expect, it } from 'vitest';
import { projectOnDatabase } from '../installation.ts';

const TEMPLATE = `
name: order
namespace: demo
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: pay
    type: signal
    signal: { name: paid, schema: { type: object, required: [amount] } }
`;

const EITHER = `
name: either
namespace: demo
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: pay
    type: signal
    signal: { names: [paid, refused], schemas: { paid: { type: object, required: [amount] } } }
`;

const on = projectOnDatabase({ 'templates/order.yaml': TEMPLATE, 'templates/either.yaml': EITHER });
const uuid = '[0-9a-f-]{36}';

it('a signal is sent, listed and shown', async () => {
  const task = await on.project.create('order');
  expect(await on.project.run(['signal', 'list', task])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: `task ${task} has received no signals\n`,
  });
  const send = (...more: string[]) => on.project.run(['signal', 'send', task, 'paid', ...more]);
  const sent = await send('--payload', '{"amount": 5}', '--key', 'e-1', '--by', 'bank');
  expect(sent).toMatchObject({ code: 0, stdout: '' });
  expect(sent.stderr).toMatch(new RegExp(`^${task}: kept until a step waits for paid\nsignal ${uuid}\n$`));
  const id = sent.stderr.match(new RegExp(`signal (${uuid})`))![1]!;
  expect((await send('-p', '{"amount": 6}', '-k', 'e-1')).stderr).toBe(
    `${task}: a signal with this key already exists; kept\nsignal ${id}\n`,
  );
  expect(await send('--payload', '{}')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(": must have required property 'amount'"),
  });
  expect(await send('--payload', '{')).toMatchObject({ code: 2, stderr: expect.stringContaining('is not valid JSON') });

  const listed = await on.project.run(['signal', 'list', task]);
  expect(listed.stderr).toBe('1 signal\n');
  expect(listed.stdout).toMatch(/^SIGNAL +NAME +STATUS +ARRIVED\n/);
  expect(listed.stdout).toMatch(new RegExp(`${id}  paid  kept    .* ago\n    by bank, key e-1, {"amount":5}\n$`));
  const shown = await on.project.run(['signal', 'show', id]);
  for (const line of [/^name +paid$/m, /^status +received$/m, /^by +bank$/m, /^payload +{"amount":5}$/m, /kept$/m])
    expect(shown.stdout).toMatch(line);
  expect(JSON.parse((await on.project.run(['signal', 'get', id, '--json'])).stdout)).toMatchObject({
    signal_id: id,
    idempotency_key: 'e-1',
    status: 'received',
    tasks: [{ task_uuid: task, status: 'kept', step: null, duplicate: false }],
  });
  expect(await on.project.run(['signal', 'show', task])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`signal ${task} not found`),
  });
});

it('each of several signals is sent by its name, and a misspelt one is named', async () => {
  const task = await on.project.create('either');
  const send = (...more: string[]) => on.project.run(['signal', 'send', task, ...more]);
  expect(await send('refusd')).toMatchObject({ code: 1, stderr: expect.stringContaining('did you mean refused?') });
  expect(await send('paid', '-p', '{}')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(": must have required property 'amount'"),
  });
  const sent = await send('refused', '-p', '"no money"');
  expect(sent.stderr).toMatch(new RegExp(`^${task}: kept until a step waits for refused\nsignal ${uuid}\n$`));
  const listed = await on.project.run(['signal', 'list', task]);
  expect(listed.stdout).toMatch(/refused {2}kept .* ago\n {4}by .+, "no money"\n$/);
});

it('signal send finds tasks by correlation id and by idempotency key', async () => {
  const task = await on.project.create('order');
  const more = ['--payload', '{"amount": 5}', '--json'];
  const found = await on.project.run(['signal', 'send', task, 'paid', '--correlation', ...more]);
  expect(JSON.parse(found.stdout).tasks).toMatchObject([{ task_uuid: task, status: 'kept' }]);
  expect(await on.project.run(['signal', 'send', 'O-7', 'paid', '--template', 'demo/order', ...more])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no task of demo/order with the idempotency key O-7'),
  });
});

it('approval list reports an empty list, and approval commands report invalid arguments', async () => {
  const task = await on.project.create('order');
  expect(await on.project.run(['approval', 'list'])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'no open approvals\n',
  });
  expect(await on.project.run(['approval', 'list', '--assignee', 'ann'])).toMatchObject({
    stderr: 'no approval matches: assignee ann\n',
  });
  expect(await on.project.run(['approval', 'approve', task, 'pay'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`step pay of task ${task} is not an approval; it has none`),
  });
  expect(await on.project.run(['approval', 'reassign', task, 'pay'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('pass --to NAME'),
  });
});
