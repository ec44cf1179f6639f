export type { ApiKey, CreatedApiKey as CreatedKey } from '../../../../src/client/contract.ts';
