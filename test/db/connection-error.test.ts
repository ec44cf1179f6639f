import { expect, it } from 'vitest';
import {
  isConnectionError,
  isStatementTimeout,
  lostStatement,
  redactUrl,
  sqlState,
} from '../../src/db/connection-error.ts';
import { InDoubtError } from '../../src/db/database.ts';

const coded = (code: string) => Object.assign(new Error('write'), { code });

it.each(['EPIPE', 'EPERM', 'ECONNRESET', 'ECONNREFUSED', 'ENOENT'])(
  'the socket error %s is a lost connection, not an SQL error',
  (code) => {
    expect(sqlState(coded(code))).toBeUndefined();
    expect(isConnectionError(coded(code))).toBe(true);
  },
);

it.each([
  ['57P01', true],
  ['08006', true],
  ['53300', true],
  ['23505', false],
  ['40P01', false],
  ['22P05', false],
])('SQLSTATE %s can be retried on another connection: %s', (code, lost) => {
  expect(sqlState(coded(code))).toBe(code);
  expect(isConnectionError(coded(code))).toBe(lost);
});

it.each(['42P05', '26000'])('the error of a lost prepared statement (%s) names the setting of the pooler', (code) => {
  const error = lostStatement(coded(code));
  expect(error).toMatchObject({
    code: 'database_error',
    message: expect.stringMatching(/max_prepared_statements to 200/),
  });
  expect(lostStatement(coded('23505'))).toMatchObject({ message: 'write' });
});

it('a statement timeout is recognized even if it cancelled the commit of a search', () => {
  expect(isStatementTimeout(coded('57014'))).toBe(true);
  expect(isStatementTimeout(new InDoubtError(coded('57014')))).toBe(true);
  expect(isStatementTimeout(new InDoubtError(coded('ECONNRESET')))).toBe(false);
  expect(isStatementTimeout(coded('55P03'))).toBe(false);
});

it('redactUrl removes the password from every part of a database URL', () => {
  for (const url of [
    'postgres://ada:s3cret@db:5432/orders',
    'postgres://db/orders?user=ada&password=s3cret',
    's3cret',
  ]) {
    expect(redactUrl(url)).not.toContain('s3cret');
  }
  expect(redactUrl('postgres://ada@db/orders?sslmode=require')).toBe('postgres://ada@db/orders?sslmode=require');
});
