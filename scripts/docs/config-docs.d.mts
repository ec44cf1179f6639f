import type { CONFIG_KEYS } from '../../src/config/config-keys.ts';
import type { INEFFECTIVE_KEYS } from '../../src/config/ineffective-keys.ts';
import type { defaultOf } from '../../src/config/show/show-config.ts';

/** The exports of the package from which the tables are generated. */
export interface Documented {
  CONFIG_KEYS: typeof CONFIG_KEYS;
  INEFFECTIVE_KEYS: typeof INEFFECTIVE_KEYS;
  defaultOf: typeof defaultOf;
}

export function keysTable(documented: Documented): string;
export function ineffectiveTable(documented: Documented): string;
export function configJsonSchema(documented: Documented): { [key: string]: unknown };
