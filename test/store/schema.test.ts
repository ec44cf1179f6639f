import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';

it('the schema of a migrated database equals migrations/schema.sql', async () => {
  const url = new URL(inject('servers')[inject('postgres')]!);
  url.pathname = '/tasker_template';
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/dump-schema.mjs', '--of', url.toString()]);
  expect(stdout).toBe(readFileSync('migrations/schema.sql', 'utf8').replaceAll('\r\n', '\n'));
});
