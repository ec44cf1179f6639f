import { describe, expect, it } from 'vitest';
import { asyncApiOf } from '../../src/template/generate/async-api.ts';
import { asyncApiProblems, messageCheck } from '../support/async-api-form.ts';
import { publishing } from './templates.ts';

const INFO = { title: 'shop', version: '1.2.0' };
const PAID = {
  type: 'object',
  required: ['amount'],
  properties: { amount: { $ref: '#/$defs/money' } },
  $defs: { money: { type: 'integer', minimum: 1 } },
};

const uuid = '0199aa00-0000-7000-8000-000000000001';
const envelope = (name: string, payload: unknown) => ({
  event_id: uuid,
  event_name: name,
  event_version: '1.0',
  payload: {
    task_sequence_step: { task: {}, workflow_step: {}, dependency_results: {}, step_definition: {} },
    execution_result: { step_uuid: uuid, success: true, result: {}, metadata: {}, status: 'completed' },
    payload,
  },
  metadata: {
    task_uuid: uuid,
    step_uuid: uuid,
    step_name: 'pay',
    namespace: 'demo',
    correlation_id: uuid,
    fired_at: '2026-01-02T03:04:05Z',
    fired_by: 'default',
    payment_processor: 'stripe',
  },
});

describe('the AsyncAPI document', () => {
  it('is valid AsyncAPI 3.0 with a channel for each event and an operation for each step that publishes it', () => {
    const template = publishing({
      pay: [
        ['payment.processed', PAID],
        [
          'payment.failed',
          { type: 'object' },
          { condition: 'permanent_failure', delivery_mode: 'broadcast', publisher: 'Pay' },
        ],
      ],
      refund: [['payment.processed', PAID]],
    });
    const { document, warnings } = asyncApiOf([template], { ...INFO, description: 'What happens in the shop.' });
    expect(warnings).toEqual([]);
    expect(asyncApiProblems(document)).toEqual([]);
    expect(document.info).toEqual({ title: 'shop', version: '1.2.0', description: 'What happens in the shop.' });
    expect(
      Object.entries(document.channels).map(([key, { address, messages }]) => [key, address, Object.keys(messages)]),
    ).toEqual([
      ['payment.failed', 'payment.failed', ['payment.failed']],
      ['payment.processed', 'payment.processed', ['payment.processed']],
    ]);
    expect(Object.keys(document.operations)).toEqual([
      'demo_demo_1.0.0.pay.payment.failed',
      'demo_demo_1.0.0.pay.payment.processed',
      'demo_demo_1.0.0.refund.payment.processed',
    ]);
    expect(document.operations['demo_demo_1.0.0.pay.payment.failed']).toMatchObject({
      action: 'send',
      description: 'Published by step pay of demo/demo@1.0.0 when an attempt fails and will not be retried.',
      'x-tasker': { condition: 'permanent_failure', delivery_mode: 'broadcast', publisher: 'Pay' },
    });
  });

  it('describes messages so that tools can detect an invalid payload', () => {
    const { document } = asyncApiOf([publishing({ pay: [['payment.processed', PAID]] })], INFO);
    const check = messageCheck(document, 'payment.processed');
    expect(check(envelope('payment.processed', { amount: 3 }))).toEqual([]);
    expect(check(envelope('payment.processed', { amount: 0 }))).toEqual(['/payload/payload/amount must be >= 1']);
    expect(check(envelope('payment.refused', { amount: 3 }))).toEqual(['/event_name must be equal to constant']);
    expect(check({ ...envelope('payment.processed', { amount: 3 }), metadata: { task_uuid: uuid } })[0]).toMatch(
      /^\/metadata must have/,
    );
  });

  it('includes both schemas of an event that two templates declare differently, with a warning', () => {
    const shop = publishing({ pay: [['payment.processed', PAID]] });
    const iban = { type: 'object', required: ['iban'] };
    const bank = publishing({ pay: [['payment.processed', iban]] }, { name: 'bank' });
    const { document, warnings } = asyncApiOf([shop, bank], INFO);
    expect(asyncApiProblems(document)).toEqual([]);
    expect(Object.keys(document.channels['payment.processed']!.messages)).toEqual([
      'payment.processed-1',
      'payment.processed-2',
    ]);
    expect(warnings).toEqual([
      'payment.processed is declared with 2 schemas: by step pay of demo/bank@1.0.0, by step pay of demo/demo@1.0.0; all of them are included; make them equal or rename one event',
    ]);
    expect(messageCheck(document, 'payment.processed-1')(envelope('payment.processed', { iban: 'DE02' }))).toEqual([]);
    expect(messageCheck(document, 'payment.processed-2')(envelope('payment.processed', { iban: 'DE02' }))).not.toEqual(
      [],
    );
    expect(asyncApiOf([bank, shop], INFO).document).toEqual(document);
  });

  it('preserves the meaning of tuples, nullable, siblings of references and ids in draft-07', () => {
    const schema = {
      $id: 'urn:shop:tree',
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        pair: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
        note: { type: 'string', nullable: true },
        short: { $ref: '#/$defs/name', maxLength: 2 },
        self: { $ref: 'urn:shop:tree#' },
        again: { $ref: '#' },
      },
      dependentRequired: { note: ['short'] },
      $defs: { name: { type: 'string', minLength: 1 } },
    };
    const { document, warnings } = asyncApiOf([publishing({ pay: [['a.b', schema]] })], INFO);
    expect(warnings).toEqual([]);
    expect(asyncApiProblems(document)).toEqual([]);
    const check = (payload: unknown) => messageCheck(document, 'a.b')(envelope('a.b', payload)).length === 0;
    const sound = [{ pair: ['a', 1] }, { note: null, short: 'ab' }, { self: { again: { short: 'x' } } }];
    expect(sound.map(check)).toEqual([true, true, true]);
    const broken = [
      { pair: ['a', 1, 2] },
      { pair: [1] },
      { note: 'a' },
      { short: 'abc' },
      { short: '' },
      { self: { again: { short: '' } } },
    ];
    expect(broken.map(check)).toEqual([false, false, false, false, false, false]);
  });

  it('lists the features that such a document cannot express', () => {
    const schema = {
      type: 'object',
      properties: { lines: { type: 'array', contains: { type: 'string' }, minContains: 2 } },
      unevaluatedProperties: false,
    };
    const { document, warnings } = asyncApiOf([publishing({ pay: [['a.b', schema]] })], INFO);
    expect(asyncApiProblems(document)).toEqual([]);
    expect(warnings).toEqual([
      'schema of a.b: /: draft-07 has no unevaluatedProperties',
      'schema of a.b: /properties/lines: draft-07 has no minContains',
    ]);
  });

  it('gives every operation a unique name, for any names of templates and steps', () => {
    const odd = publishing({ 'ä ö': [['a.b', {}]], 'ä-ö': [['a.b', {}]], 'ö ä': [['a.b', {}]] });
    const { document } = asyncApiOf([odd], INFO);
    expect(asyncApiProblems(document)).toEqual([]);
    expect(Object.keys(document.operations)).toHaveLength(3);
  });

  it('is valid even without events', () => {
    const { document } = asyncApiOf([], INFO);
    expect(asyncApiProblems(document)).toEqual([]);
    expect(document.channels).toEqual({});
  });
});
