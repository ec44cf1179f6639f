import { expect, it } from 'vitest';
import { approvalStep, type Steps, sharedWaitingBenches, signalStep } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const MONEY = {
  type: 'object',
  required: ['amount', 'currency', 'payer'],
  properties: {
    amount: { type: 'integer', minimum: 5 },
    currency: { enum: ['EUR', 'USD'] },
    payer: { type: 'object', required: ['name'], properties: { name: { type: 'string', examples: ["O'Neil"] } } },
    remark: { type: 'string' },
  },
};

/** Returns the commands that `why` prints for waiting steps and the texts after the commands, by step. */
async function printed(steps: Steps) {
  const bench = await waitingBench(steps);
  const task = await bench.create();
  await bench.work();
  const explained = (await bench.tasker.why(task)).steps;
  const commands = Object.fromEntries(
    explained.map(({ step, why }) => {
      const [, command, rest] = /`tasker (.*)`(.*)$/s.exec(why) ?? [];
      return [step, `${command}${rest}`.replaceAll(task, 'TASK')];
    }),
  );
  return { ...bench, task, commands };
}

/** Reads the value of an option in a printed command, as a shell does. */
function optionOf(command: string, option: string): unknown {
  const [, quoted] = new RegExp(`${option} '(.*)'$`, 's').exec(command)!;
  return JSON.parse(quoted!.replaceAll(String.raw`'\''`, "'"));
}

it('why prints a payload that the signal accepts', async () => {
  const { commands, tasker, task, resultOf } = await printed({
    pay: signalStep('paid', { schema: MONEY }),
    word: signalStep('word', { schema: { type: 'string', minLength: 6 } }),
  });
  expect(commands.pay).toBe(
    String.raw`signal send TASK paid --payload '{"amount":5,"currency":"EUR","payer":{"name":"O'\''Neil"}}'`,
  );
  expect(commands.word).toBe(`signal send TASK word --payload '"textxx"'`);
  for (const [step, name] of [
    ['pay', 'paid'],
    ['word', 'word'],
  ] as const) {
    const payload = optionOf(commands[step]!, '--payload');
    await tasker.signal(task, name, payload, { by: 'bank' });
    expect(await resultOf(task, step)).toEqual(payload);
  }
});

it('why prints a placeholder if no short example matches the schema, and nothing if no payload is needed', async () => {
  const { commands } = await printed({
    none: signalStep('none'),
    any: signalStep('any', { schema: { type: ['object', 'null'], required: ['a'] } }),
    code: signalStep('code', { schema: { type: 'string', pattern: '^[A-Z]{3}-\\d{3}$' } }),
    long: signalStep('long', { schema: { type: 'string', const: 'x'.repeat(400) } }),
    never: signalStep('never', { schema: { not: {} } }),
    deep: signalStep('deep', { schema: { $ref: '#/$defs/a', $defs: { a: { type: 'object', required: ['b'] } } } }),
  });
  expect(commands).toEqual({
    none: 'signal send TASK none',
    any: 'signal send TASK any',
    code: 'signal send TASK code --payload JSON',
    long: 'signal send TASK long --payload JSON',
    never: 'signal send TASK never --payload JSON',
    deep: 'signal send TASK deep --payload JSON',
  });
});

it('why prints --role for an approval with assignees, and a form that the approval accepts', async () => {
  const { commands, tasker, task } = await printed({
    all: approvalStep({ form: { type: 'object', properties: { remark: { type: 'string' } } } }),
    roles: approvalStep({ assignees: ['managers'] }),
    form: approvalStep({ assignees: ['managers', 'ann'], form: MONEY }),
  });
  const assigned = '--by NAME --role ROLE';
  expect(commands.all).toBe('approval approve TASK all --by NAME');
  expect(commands.roles).toBe(`approval approve TASK roles ${assigned}, where NAME or ROLE is an assignee`);
  expect(commands.form).toMatch(
    /^approval approve TASK form --by NAME --role ROLE --form '.*', where NAME or ROLE is an assignee$/,
  );
  const form = optionOf(commands.form!.replace(/, where .*/, ''), '--form');
  const vote = { decision: 'approve', by: 'bob', roles: ['managers'], form } as const;
  expect((await tasker.approvals.vote(task, 'form', vote)).status).toBe('approved');
});

it('why prints --role after an approval without assignees was reassigned to a role', async () => {
  const { tasker, task } = await printed({ ask: approvalStep() });
  const commandOf = async () => (await tasker.why(task)).steps[0]!.why;
  expect(await commandOf()).not.toContain('--role');
  await tasker.approvals.reassign(task, 'ask', { to: ['ops'], by: 'ann' });
  expect(await commandOf()).toContain('--by NAME --role ROLE`, where NAME or ROLE is an assignee');
});
