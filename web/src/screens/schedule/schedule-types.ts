export type { Schedule, ScheduleFiring as Firing } from '../../../../src/client/contract.ts';
