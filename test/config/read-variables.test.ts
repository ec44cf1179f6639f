import { describe, expect, it } from 'vitest';
import { readVariables } from '../../src/config/read-variables.ts';

function valuesOf(env: NodeJS.ProcessEnv): Record<string, unknown> {
  return Object.fromEntries(readVariables(env).given.map(({ name, value }) => [name, value]));
}

describe('the environment', () => {
  it('an empty variable is treated as not set', () => {
    const empty = Object.fromEntries(
      [
        'DATABASE_URL',
        'DATABASE_DIRECT_URL',
        'TASKER_ENV',
        'TASKER_EMBEDDED',
        'TASKER_TEMPLATE_PATH',
        'TASKER_HANDLER_PATH',
        'TASKER_PIPELINE',
      ].map((name) => [name, '']),
    );
    expect(valuesOf(empty)).toEqual({});
    const second = { ...empty, TYPESCRIPT_HANDLER_PATH: '/h' };
    expect(valuesOf(second)).toMatchObject({ handlerPaths: ['/h'] });
  });

  it('DATABASE_URL names the database', () => {
    const env = {
      DATABASE_URL: 'postgres://a',
      DATABASE_DIRECT_URL: 'postgres://b',
      TASKER_EMBEDDED: '1',
      TASKER_PIPELINE: '0',
    };
    expect(valuesOf(env)).toMatchObject({
      databaseUrl: 'postgres://a',
      databaseDirectUrl: 'postgres://b',
      embedded: true,
      pipeline: false,
    });
    expect(valuesOf({ TASKER_EMBEDDED: 'no' })['embedded']).toBe(false);
  });

  it('a variable can contain several paths, separated as in PATH or by commas', () => {
    const paths = (TASKER_TEMPLATE_PATH: string) => valuesOf({ TASKER_TEMPLATE_PATH })['templatePaths'];
    const separator = process.platform === 'win32' ? ';' : ':';
    expect(paths(['a', 'b c'].join(separator))).toEqual(['a', 'b c']);
    expect(paths('a,b, c ,,')).toEqual(['a', 'b', 'c']);
  });

  it('TASKER_HANDLER_PATH takes precedence over TYPESCRIPT_HANDLER_PATH', () => {
    expect(valuesOf({ TYPESCRIPT_HANDLER_PATH: 'ts' })['handlerPaths']).toEqual(['ts']);
    expect(valuesOf({ TASKER_HANDLER_PATH: 'own', TYPESCRIPT_HANDLER_PATH: 'ts' })['handlerPaths']).toEqual(['own']);
  });
});
