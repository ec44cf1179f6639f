import { packageFile } from '../../config/package-version.ts';

/**
 * Returns the program of a thread. Always uses the bundle, even when the package runs from its sources, as in tests,
 * because a thread of Node 20 cannot run TypeScript.
 */
export function threadFile(name: 'handler-thread' | 'heartbeat-thread-entry'): URL {
  return packageFile(`dist/bundle/${name}.js`);
}

/** Node flags that name the program of the process. A thread has its own program and rejects these flags. */
const OF_THE_PROGRAM = /^(--input-type|-e|--eval|-p|--print|-pe|--test)(=|$)/;
const WITH_A_TEXT = /^(-e|--eval|-p|--print|-pe)$/;

/** The flags of this process that threads need too, such as loaders and instrumentation. */
export function threadFlags(flags: readonly string[] = process.execArgv): string[] {
  return flags.filter((flag, i) => !OF_THE_PROGRAM.test(flag) && !(i > 0 && WITH_A_TEXT.test(flags[i - 1]!)));
}
