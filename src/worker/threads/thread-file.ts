/**
 * The program of a thread, by its place in the folder of the worker. When this package runs from its sources, as in its
 * own tests, it is that of the build: a thread of Node 20 reads JavaScript only.
 */
export function threadFile(name: string): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../../dist/worker/' : '../';
  return new URL(`${folder}${name}.js`, import.meta.url);
}

/** Flags of Node that say where the program of the process is; a thread has its own, and refuses them. */
const OF_THE_PROGRAM = /^(--input-type|-e|--eval|-p|--print|-pe|--test)(=|$)/;
const WITH_A_TEXT = /^(-e|--eval|-p|--print|-pe)$/;

/** The flags that this process was started with, as far as they are for threads too: loaders, instrumentation. */
export function threadFlags(flags: readonly string[] = process.execArgv): string[] {
  return flags.filter((flag, i) => !OF_THE_PROGRAM.test(flag) && !(i > 0 && WITH_A_TEXT.test(flags[i - 1]!)));
}
