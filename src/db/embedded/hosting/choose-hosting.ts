import type { Hosting } from './hosting.ts';
import { unixHosting } from './unix-hosting.ts';
import { windowsHosting } from './windows-hosting.ts';

/** Returns the hosting for this operating system. */
export function chooseHosting(): Hosting {
  return process.platform === 'win32' ? windowsHosting : unixHosting;
}
