import { createApiKey } from '../../../src/app/credentials/api-keys.ts';
import type { World } from '../../support/rest/world.ts';
import type { Table } from './row.ts';

const YAML = { 'content-type': 'application/yaml' };
const SOURCE = `
name: fresh
namespace: test
version: 1.0.0
steps:
  - name: first
    handler: first
`;

/** Requests that register and check templates. */
export async function templateActRows({ tasker }: World): Promise<Table> {
  const request = {
    name: 'templates_of_others',
    permissions: ['templates:write', 'templates:validate'],
    namespaces: ['elsewhere'],
  };
  const { key } = await createApiKey(tasker, request, { actor: 'ana' });
  const foreign = { body: { source: SOURCE }, secured: true, headers: { 'x-api-key': key } };
  return {
    postTemplates: {
      ok: [
        { body: { source: SOURCE } },
        { body: SOURCE, headers: YAML },
        { body: { name: 'plain', namespace: 'test', version: '1.0.0', steps: [{ name: 'first', handler: 'first' }] } },
      ],
      400: [{ body: 'name: [', headers: YAML }, { body: { name: 'x' } }, { body: '', headers: YAML }, { body: [] }],
      404: [foreign],
    },
    postTemplatesValidate: {
      ok: [{ body: { source: SOURCE } }, { body: SOURCE, headers: YAML }, { body: 'name: [', headers: YAML }],
      400: [{ body: [] }],
      404: [foreign],
    },
  };
}
