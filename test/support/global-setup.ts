import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What the whole suite needs once: the build that child processes run. */
export default async function setup(): Promise<void> {
  await promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
}
