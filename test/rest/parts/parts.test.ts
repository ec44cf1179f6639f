import { describe, expect, it } from 'vitest';
import { operationIdOf, tagOf } from '../../../src/rest/operation-names.ts';
import { pageOf, positionOf } from '../../../src/rest/positions.ts';
import { templateChanges } from '../../../src/template/template-changes.ts';

describe('the differences between two templates', () => {
  it('are found by the names of steps, in any order', () => {
    const from = {
      steps: [
        { name: 'a', n: 1 },
        { name: 'b', list: [1, 2] },
      ],
      tags: ['x'],
      gone: true,
    };
    const to = { steps: [{ name: 'b', list: [2, 1] }, { name: 'a', n: 2 }, { name: 'c' }], tags: ['x'], more: null };
    expect(templateChanges(from, to)).toEqual([
      { path: 'steps.a.n', change: 'changed', from: 1, to: 2 },
      { path: 'steps.b.list', change: 'changed', from: [1, 2], to: [2, 1] },
      { path: 'steps.c', change: 'added', from: null, to: { name: 'c' } },
      { path: 'gone', change: 'removed', from: true, to: null },
      { path: 'more', change: 'added', from: null, to: null },
    ]);
    expect(templateChanges(from, structuredClone(from))).toEqual([]);
  });

  it('are found if a list becomes empty, or a value changes its type', () => {
    expect(templateChanges({ steps: [{ name: 'a' }] }, { steps: [] })).toEqual([
      { path: 'steps', change: 'changed', from: [{ name: 'a' }], to: [] },
    ]);
    expect(templateChanges({ a: { b: 1 } }, { a: [1] })).toMatchObject([{ path: 'a', change: 'changed' }]);
    expect(templateChanges({ __proto__: null, a: 1 }, { a: 1 })).toEqual([]);
  });
});

describe('the name of an operation', () => {
  it('has the method and the words of the path, in the singular before a parameter', () => {
    expect(operationIdOf('get', '/v1/tasks/{uuid}/workflow_steps/{step}/logs')).toBe('getTaskWorkflowStepLogs');
    expect(operationIdOf('get', '/v1/bulk-acts')).toBe('getBulkActs');
    expect(operationIdOf('patch', '/v1/dlq/entry/{id}')).toBe('updateDlqEntry');
    expect(tagOf('/v1/bulk-acts/{id}')).toBe('bulk-acts');
  });
});

describe('a page of a list', () => {
  it('has cursors to its neighbors, and covers each item of the list once', () => {
    const all = [1, 2, 3, 4, 5];
    const first = pageOf(all, { limit: 2 });
    const second = pageOf(all, { limit: 2, cursor: first.next_cursor! });
    const third = pageOf(all, { limit: 2, cursor: second.next_cursor! });
    expect([first, second, third].map(({ items }) => items)).toEqual([[1, 2], [3, 4], [5]]);
    expect(third.next_cursor).toBeNull();
    expect(pageOf(all, { limit: 2, cursor: third.previous_cursor! }).items).toEqual([3, 4]);
    expect(pageOf(all, { limit: 5 }).next_cursor).toBeNull();
    expect(pageOf(all, { limit: 5, cursor: pageOf(all, { limit: 4 }).next_cursor! }).previous_cursor).not.toBeNull();
  });

  it('rejects a cursor of another list', () => {
    for (const cursor of [
      '',
      'x',
      Buffer.from('at:-1').toString('base64url'),
      Buffer.from('at:1e9').toString('base64url'),
    ]) {
      expect(() => positionOf(cursor)).toThrow(/not from a page of this list/);
    }
  });
});
