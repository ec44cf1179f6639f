import { zodToOpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import { NAMES } from '../contract/schemas/names.ts';

/** Gives the schemas of the contract their names in OpenAPI documents. Call it before a document is made. */
export function nameSchemas(): void {
  for (const [refId, schema] of NAMES._idmap) zodToOpenAPIRegistry.add(schema, { _internal: { refId } });
}
