// Draws the pictures of the command line in docs/pictures: runs the commands in a real terminal (tmux, which must be
// installed) and writes what it shows as SVG.   npm run pictures
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { svgOf } from './docs/terminal-picture.mjs';

const root = path.dirname(import.meta.dirname);
const parent = mkdtempSync(path.join(tmpdir(), 'tasker-pictures-'));
const folder = path.join(parent, 'hello');
const columns = 136;

const tmux = (...args) => execFileSync('tmux', ['-L', `pictures-${process.pid}`, ...args], { encoding: 'utf8' });
const screen = () => tmux('capture-pane', '-p', '-e', '-t', 'main').trimEnd();
const type = (text) => tmux('send-keys', '-t', 'main', text, 'Enter');
const tasker = (...args) =>
  execFileSync(process.execPath, [path.join(root, 'bin/tasker.js'), ...args], { cwd: folder, encoding: 'utf8' });

/** Waits until the screen meets a condition. */
async function until(what, holds) {
  for (let i = 0; i < 600; i++) {
    if (holds(screen())) return;
    await sleep(100);
  }
  throw new Error(`the terminal does not show ${what} after a minute:\n${screen()}`);
}

const shows = (text) => until(`"${text}"`, (shown) => shown.includes(text));
/** Waits until the shell is ready for the next command. */
const ready = () => until('a prompt', (shown) => shown.split('\n').at(-1).trim() === '$');

function draw(name, title, lines) {
  const shown = lines.join('\n').replaceAll(folder, '~/hello');
  writeFileSync(path.join(root, `docs/pictures/${name}.svg`), svgOf(shown, { title, columns }));
  console.log(`docs/pictures/${name}.svg`);
}

function prepare() {
  mkdirSync(path.join(folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(root, path.join(folder, 'node_modules/tasker-core'), 'junction');
  symlinkSync(path.join(root, 'bin/tasker.js'), path.join(folder, 'node_modules/.bin/tasker'));
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "hello", "private": true, "type": "module" }\n');
  tasker('init');
  const file = path.join(folder, 'handlers/hello.js');
  const handlers = readFileSync(file, 'utf8').replace(
    'async ({ person }) => {',
    "async ({ person }) => {\n  if (person.name === 'Zoe') throw new Error('the mail server answered 503');",
  );
  writeFileSync(file, handlers);
  const template = path.join(folder, 'templates/hello.yaml');
  writeFileSync(template, readFileSync(template, 'utf8').replace('max_attempts: 5', 'max_attempts: 2'));
}

try {
  mkdirSync(path.join(root, 'docs/pictures'), { recursive: true });
  prepare();
  tmux('new-session', '-d', '-s', 'main', '-x', String(columns), '-y', '40', '-c', folder, 'env PS1="$ " sh');
  await ready();
  type('TASKER_LOG=warn npx tasker dev');
  await shows('no tasks yet');
  const create = (name) => tasker('task', 'create', 'demo/hello', '--input', JSON.stringify({ name }), '--json');
  create('Ada');
  create('Emmy');
  const { task_uuid: blocked } = JSON.parse(create('Zoe'));
  await shows('blocked');
  draw('dev', 'tasker dev', screen().split('\n'));

  tmux('send-keys', '-t', 'main', 'C-c', '');
  await ready();
  type('clear');
  await until('an empty screen', (shown) => shown.trim() === '$');
  type(`npx tasker task why ${blocked}`);
  await shows('look_up');
  await ready();
  draw('why', 'tasker task why', screen().split('\n').slice(0, -1));
} finally {
  tmux('kill-server');
  rmSync(parent, { recursive: true, force: true });
}
