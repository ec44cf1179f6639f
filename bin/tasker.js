#!/usr/bin/env node
import { existsSync } from 'node:fs';

const nodeVersion = new URL('../dist/config/node-version.js', import.meta.url);
const builder = new URL('../scripts/build-if-stale.mjs', import.meta.url);
const entry = new URL('../dist/bundle/cli.js', import.meta.url);

// Checked before any other import, because an old Node may be unable to link it.
const problem = existsSync(nodeVersion) ? (await import(nodeVersion.href)).oldNodeProblem() : undefined;
if (problem !== undefined) {
  process.stderr.write(`error: ${problem}\n`);
  process.exitCode = 3;
} else {
  // Only a checkout has the script. The published package contains dist.
  if (existsSync(builder)) {
    try {
      await import(builder.href);
    } catch (error) {
      if (!existsSync(entry)) throw error;
      process.stderr.write(
        'warning: this checkout does not compile cleanly (see above); continuing with the last build\n',
      );
    }
  }
  const { main } = await import(entry.href);
  const code = await main(process.argv);
  // A handler may have set another code than 0.
  if (code !== 0) process.exitCode = code;
}
