import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { configJsonSchema, ineffectiveTable, keysTable } from '../../scripts/docs/config-docs.mjs';
import { CONFIG_KEYS } from '../../src/config/config-keys.ts';
import { INEFFECTIVE_KEYS } from '../../src/config/ineffective-keys.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { defaultOf } from '../../src/config/show/show-config.ts';
import { ALLOWED_NAMES } from '../../src/config/toml/allowed-variables.ts';
import { projectWith } from '../support/config-folder.ts';

const documented = { CONFIG_KEYS, INEFFECTIVE_KEYS, defaultOf };
const page = readFileSync('docs/configuration-keys.md', 'utf8').replaceAll('\r\n', '\n');
const guide = readFileSync('docs/guide/configuration.md', 'utf8').replaceAll('\r\n', '\n');
const blocks = [...guide.matchAll(/^```toml\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);

describe('the guide page about configuration', () => {
  it('the page contains the tables of all keys (node scripts/write-config-docs.mjs writes them)', () => {
    expect(page).toContain(`\n${keysTable(documented)}\n`);
    expect(page).toContain(`\n${ineffectiveTable(documented)}\n`);
    for (const name of ALLOWED_NAMES) expect(page).toContain(`\`${name}\``);
  });

  it('the example files are valid', () => {
    expect(blocks).toHaveLength(3);
    for (const text of blocks) {
      const { warnings, config } = loadConfig({ cwd: projectWith({ 'tasker.toml': text }), env: {} });
      expect(warnings).toEqual([]);
      expect(config.databaseUrl).not.toBe('');
    }
  });
});

describe('the JSON Schema of the file', () => {
  const check = new Ajv2020({ allErrors: true }).compile(configJsonSchema(documented));

  it('the schema in the package is up to date (node scripts/write-config-docs.mjs writes it)', () => {
    const there: unknown = JSON.parse(readFileSync('schemas/tasker-config.json', 'utf8'));
    expect(there).toEqual(JSON.parse(JSON.stringify(configJsonSchema(documented))));
  });

  it('the schema accepts valid files and rejects invalid files', () => {
    expect(check({ worker: { lease_seconds: 4, web: { enabled: false } }, common: { cache: { enabled: true } } })).toBe(
      true,
    );
    expect(check({ worker: { lease_seconds: '4' } })).toBe(false);
    expect(check({ worker: 4 })).toBe(false);
  });
});
