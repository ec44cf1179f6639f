import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/logging/logger.ts';
import { camelCase } from '../../../src/model/key-case.ts';
import { PERMISSIONS } from '../../../src/model/permissions.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { type Document, documentOf, type Operation } from '../../support/rest/contract.ts';

type Json = Readonly<Record<string, unknown>>;
type Listed = Operation & { place: string; path: string; 'x-permission'?: string };

/** Test files that send requests to their own app. */
const FILES = readdirSync('test/rest', { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.test.ts'),
);

it('every test of the API compares the responses with the document', () => {
  const without = FILES.filter((name) => {
    const text = readFileSync(`test/rest/${name}`, 'utf8');
    return /\brestApp\(/.test(text) && !/\basking\(/.test(text) && !text.includes('documentOf(app)');
  });
  expect(without, 'send the requests with asking(app) of test/support/rest/contract.ts').toEqual([]);
});

let document: Document;
let operations: Listed[];

beforeAll(async () => {
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  // The document needs no database: no request is sent to the tasker.
  const tasker = {
    engine: {},
    events: {},
    deadLetters: {},
    schedules: {},
    approvals: {},
    bulk: {},
    vitals: {},
    httpWorkers: () => ({}),
  } as never;
  const app = restApp({ tasker, logger: silentLogger, facts, config: { configuration: () => ({}) } });
  document = await documentOf(app);
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, place: `${method} ${path}` })),
  );
});

const breaking = (rule: (operation: Listed) => boolean) =>
  operations.filter((one) => !rule(one)).map(({ place }) => place);

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1 with its title and version, and with only the fields that the standard has', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toEqual({
      title: 'tasker-core',
      version: '1.2.3',
      description: expect.any(String),
      license: { name: 'MIT', identifier: 'MIT' },
    });
    const fields = [
      'openapi',
      'info',
      'paths',
      'components',
      'tags',
      'servers',
      'security',
      'webhooks',
      'externalDocs',
    ];
    expect(Object.keys(document).filter((key) => !fields.includes(key))).toEqual([]);
    expect(Object.keys(document.paths).filter((path) => !path.startsWith('/'))).toEqual([]);
    const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
    expect(breaking(({ place }) => methods.includes(place.split(' ')[0]!))).toEqual([]);
    const known = [
      'operationId',
      'tags',
      'summary',
      'description',
      'parameters',
      'requestBody',
      'responses',
      'security',
      'deprecated',
    ];
    expect(
      breaking(({ place: _, path: __, ...one }) =>
        Object.keys(one).every((key) => key.startsWith('x-') || known.includes(key)),
      ),
    ).toEqual([]);
  });

  it('names, groups, describes and protects every operation', () => {
    expect(breaking(({ operationId }) => /^[a-z][A-Za-z]+$/.test(operationId ?? ''))).toEqual([]);
    expect(breaking(({ tags }) => tags?.length === 1)).toEqual([]);
    expect(breaking(({ summary }) => /^[A-Z].{10,110}[^.]$/.test(summary ?? ''))).toEqual([]);
    const known: readonly string[] = [...PERMISSIONS, 'public', 'authenticated'];
    expect(breaking((one) => known.includes(one['x-permission'] ?? ''))).toEqual([]);
    const ids = operations.map(({ operationId }) => operationId!);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it('describes every parameter of a path, and no other', () => {
    const inPath = ({ path }: Listed) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
    const described = ({ parameters = [] }: Listed) => parameters.filter((one) => one.in === 'path');
    expect(
      breaking(
        (one) =>
          JSON.stringify(
            described(one)
              .map(({ name }) => name)
              .sort(),
          ) === JSON.stringify(inPath(one)),
      ),
    ).toEqual([]);
    expect(breaking((one) => described(one).every(({ required }) => required === true))).toEqual([]);
    expect(breaking(({ parameters = [] }) => parameters.every(({ schema }) => schema !== undefined))).toEqual([]);
  });

  it('declares a success response and a schema for every response body, and never declares 422', () => {
    expect(breaking(({ responses }) => Object.keys(responses).some((status) => /^2\d\d$/.test(status)))).toEqual([]);
    expect(breaking(({ responses }) => responses[422] === undefined)).toEqual([]);
    const complete = ({ responses }: Listed) =>
      Object.entries(responses).every(
        ([status, { description, content }]) =>
          description.length > 0 &&
          (status === '304' || Object.values(content ?? {}).some(({ schema }) => schema !== undefined)),
      );
    expect(breaking(complete)).toEqual([]);
  });

  it('lists the reasons and statuses of dead letters, and the causes and outcomes of due times', () => {
    const enumOf = (name: string, ...fields: string[]) => {
      const path = fields.flatMap((field) => ['properties', field]);
      const found = path.reduce<unknown>((at, key) => (at as Json)[key], document.components?.schemas?.[name]);
      return (found as Json)['enum'];
    };
    const reasons = [
      'staleness_timeout',
      'max_retries_exceeded',
      'dependency_cycle_detected',
      'worker_unavailable',
      'manual_dlq',
    ];
    const statuses = ['pending', 'manually_resolved', 'permanently_failed', 'cancelled'];
    const pascal = (names: string[]) => names.map((name) => camelCase(`_${name}`));
    for (const name of ['DlqEntry', 'DlqStats', 'DlqInvestigationQueueEntry']) {
      expect([name, enumOf(name, 'dlq_reason')]).toEqual([name, pascal(reasons)]);
    }
    expect(enumOf('DlqEntry', 'resolution_status')).toEqual(pascal(statuses));
    for (const name of ['DeadLetterRow', 'DeadLetterDetails']) {
      expect([name, enumOf(name, 'dlq_reason')]).toEqual([name, reasons]);
    }
    const search = operations.find(({ place }) => place === 'get /v1/dlq/entries');
    expect(search?.parameters?.find(({ name }) => name === 'dlq_reason')?.schema['enum']).toEqual(reasons);
    expect(enumOf('TaskSummaryResponse', 'dlq', 'dlq_reason')).toEqual([...reasons, null]);
    expect(enumOf('TaskSummaryResponse', 'dlq', 'resolution_status')).toEqual([...statuses, null]);
    expect(enumOf('ScheduleFiring', 'cause')).toEqual(['due', 'catch_up', 'queued', 'trigger', 'backfill']);
    expect(enumOf('ScheduleFiring', 'outcome')).toEqual(['created', 'queued', 'skipped', 'missed', 'failed']);
  });

  it('has only valid schemas, references that exist, and examples that match their schemas', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'document', ...document });
    const problems: string[] = [];
    const visit = (value: unknown, at: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const node = value as Record<string, unknown>;
      const refersTo = (node['allOf'] as { $ref?: string; type?: unknown }[] | undefined)?.some(({ $ref }) => $ref);
      if (refersTo && JSON.stringify(node['allOf']).includes('"type":["object","null"]}')) {
        problems.push(`${at}: null is rejected; use orNull() instead of nullable()`);
      }
      if (/^\/components\/schemas\/[^/]+$/.test(at) && JSON.stringify(node['type'] ?? '').includes('null')) {
        problems.push(`${at}: a named schema allows null; use orNull() instead of nullable()`);
      }
      if (at.endsWith('/schema') || /^\/components\/schemas\/[^/]+$/.test(at)) {
        const text = JSON.stringify(node).replaceAll('"#/components/', '"document#/components/');
        try {
          const validate = ajv.compile(JSON.parse(text) as object);
          if (node['example'] !== undefined && !validate(node['example']))
            problems.push(`${at}: its example does not match`);
        } catch (error) {
          problems.push(`${at}: ${(error as Error).message}`);
        }
      }
      for (const [key, one] of Object.entries(node)) visit(one, `${at}/${key}`);
    };
    visit(document, '');
    expect(problems).toEqual([]);
  });
});
