// Runs commands of an installed `tasker` one after another in one process, because starting a process and loading the
// program takes longer than most commands. Each gets its own folder, environment, output and exit code.
// node command-host.mjs MAIN, then messages { id, args, cwd, env }. The reply to each is { id, code, stdout, stderr }.
const { main } = await import(process.argv[2]);
const [write, writeError] = [process.stdout.write, process.stderr.write];
const listeners = ['SIGINT', 'SIGTERM'];

async function run({ id, args, cwd, env }) {
  const output = { stdout: '', stderr: '' };
  const capture = (name) => (text, encoding, done) => {
    output[name] += text;
    (typeof encoding === 'function' ? encoding : done)?.();
    return true;
  };
  process.stdout.write = capture('stdout');
  process.stderr.write = capture('stderr');
  process.chdir(cwd);
  process.env = { ...env };
  process.exitCode = undefined;
  try {
    process.exitCode = await main([process.execPath, 'tasker', ...args]);
  } finally {
    process.stdout.write = write;
    process.stderr.write = writeError;
    process.stdout.removeAllListeners('error');
    process.stderr.removeAllListeners('error');
    for (const name of listeners) process.removeAllListeners(name);
  }
  process.send({ id, code: process.exitCode ?? 0, ...output });
}

let before = Promise.resolve();
process.on('message', (request) => {
  before = before.then(() => run(request));
});
process.on('disconnect', () => process.exit());
process.send('ready');
