// Measures the cost of single features: compares the build with a build without a feature, alternating on one server.
// The engine has no switches for this, so this script patches copies of the build.
//   node bench/features.mjs [--rounds 7] [--workloads W1,W4] [--seconds 1]
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarkOf, median, withServer } from './harness.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    workloads: { type: 'string', default: 'W1,W4' },
    seconds: { type: 'string', default: '1' },
  },
});

/** The file of a feature, the code to remove, and its replacement. */
const FEATURES = {
  'history of every attempt': {
    file: 'statements/record_steps.sql',
    cut: /insert into tasker\.history[\s\S]*?from done\)/,
    put: 'select 1)',
  },
  'lease check in the claim': {
    file: 'statements/claim_steps.sql',
    cut: /select id from tasker\.worker where id = \$3 and state = 'alive' for share/,
    put: 'select $3::bigint id',
  },
};
const PAYLOADS = { 'results of 1 KB': 1024, 'results of 64 KB': 65_536 };

/** Creates a copy of the package without a feature. `undefined` copies it unchanged. */
async function copyOf(feature) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tasker-feature-'));
  for (const part of ['package.json', 'dist', 'migrations', 'statements', 'bench'])
    await cp(part, path.join(folder, part), { recursive: true });
  await symlink(path.resolve('node_modules'), path.join(folder, 'node_modules'));
  if (feature) {
    const file = path.join(folder, feature.file);
    const text = await readFile(file, 'utf8');
    const patched = text.replace(feature.cut, () => feature.put);
    if (patched === text)
      throw new Error(`${feature.file} has changed, and the patch no longer applies; update FEATURES`);
    await writeFile(file, patched);
  }
  return folder;
}

const run = (folder, url, payload = 0) => benchmarkOf(folder, url, { ...options, payload });

async function compare(label, withIt, without) {
  const rounds = [];
  for (let i = 0; i < Number(options.rounds); i++) rounds.push({ with: await withIt(), without: await without() });
  for (const workload of options.workloads.split(',')) {
    const of = (kind, key) => median(rounds.map((round) => round[kind][workload][key]));
    const ratio = median(rounds.map((round) => round.with[workload].steps_per_s / round.without[workload].steps_per_s));
    const line = { feature: label, workload, rounds: rounds.length, throughput_ratio: Number(ratio.toFixed(2)) };
    line.wal_bytes_per_step = { with: of('with', 'wal_bytes_per_step'), without: of('without', 'wal_bytes_per_step') };
    console.log(JSON.stringify(line));
  }
}

await withServer(async (url) => {
  const whole = await copyOf();
  const folders = [whole];
  try {
    for (const [label, feature] of Object.entries(FEATURES)) {
      const cut = await copyOf(feature);
      folders.push(cut);
      await compare(
        label,
        () => run(whole, url),
        () => run(cut, url),
      );
    }
    for (const [label, bytes] of Object.entries(PAYLOADS))
      await compare(
        label,
        () => run(whole, url, bytes),
        () => run(whole, url),
      );
  } finally {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }
});
