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
export function templateActRows(): Table {
  return {
    postTemplates: {
      ok: [
        { body: { source: SOURCE } },
        { body: SOURCE, headers: YAML },
        { body: { name: 'plain', namespace: 'test', version: '1.0.0', steps: [{ name: 'first', handler: 'first' }] } },
      ],
      400: [{ body: 'name: [', headers: YAML }, { body: { name: 'x' } }, { body: '', headers: YAML }, { body: [] }],
    },
    postTemplatesValidate: {
      ok: [{ body: { source: SOURCE } }, { body: SOURCE, headers: YAML }, { body: 'name: [', headers: YAML }],
      400: [{ body: [] }],
    },
  };
}
