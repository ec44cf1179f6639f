import type { CreatedApiKey } from '../api/types.ts';

type MadeKey = Pick<CreatedApiKey, 'name' | 'key'>;

/**
 * The first key of a server, until the user has copied it. Once a key exists, the server requires a credential, so the
 * page asks for one and must not lose the new key. It is kept only in the memory of the page.
 */
let made: MadeKey | undefined;

export const madeKey = () => made;
export function keepMadeKey(key: MadeKey | undefined): void {
  made = key;
}
