// Packs the package, installs it into an empty project without optional packages, and writes the figures to
// docs/performance.md: npm run weight. With --check, it writes nothing, and fails if the page is out of date or a limit is
// exceeded. It packs dist as it is.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { weightOf, weightProblems, withWeight } from './docs/weight.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = path.join(root, 'docs/performance.md');

function npm(cwd, ...args) {
  const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`npm ${args[0]} exited with ${status}: ${stderr}`);
}

function measured() {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-weight-'));
  try {
    npm(root, 'pack', '--ignore-scripts', '--pack-destination', folder);
    const [tarball] = readdirSync(folder);
    const project = path.join(folder, 'project');
    mkdirSync(project);
    writeFileSync(path.join(project, 'package.json'), '{ "private": true }\n');
    const quietly = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    npm(project, 'install', ...quietly, '--omit=optional', path.join(folder, tarball));
    return weightOf(project);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const weight = measured();
const before = readFileSync(page, 'utf8');
const text = process.argv.includes('--check') ? before : withWeight(before, weight);
if (text !== before) writeFileSync(page, text);
const problems = weightProblems(weight, text);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
