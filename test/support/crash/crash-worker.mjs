// A worker process that tests kill. Its handlers first write each action to a file, as a JSON line. The process accepts
// the commands `stop MS` and `block FILE` on standard input, and exits on its own after it stops.
import { existsSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createTasker, StepHandler } from '../../../dist/bundle/index.js';

const { journal, retries, ...options } = JSON.parse(process.argv[2]);
if (process.env.CLOCK_JUMPS) letClockJump();
const file = openSync(journal, 'a');
const note = (event) => writeSync(file, `${JSON.stringify({ pid: process.pid, ...event })}\n`);
const say = (word) => process.stdout.write(`${word}\n`);

/** Moves the clock of this process back and forward, by up to an hour. */
function letClockJump() {
  const Real = Date;
  let byMs = 0;
  setInterval(() => (byMs = (Math.random() - 0.5) * 7_200_000), 300).unref();
  globalThis.Date = class extends Real {
    constructor(...given) {
      if (given.length > 0) super(...given);
      else super(Real.now() + byMs);
    }
    static now() {
      return Real.now() + byMs;
    }
  };
}

let runs = 0;

/** The context of the task configures each step under its name: `{ ms, deaf, late, fail, result, later, calls, children }`. */
class Work extends StepHandler {
  static handlerName = 'work';

  async call(context) {
    const { name } = context.event.workflowStep;
    const run = `${process.pid}:${++runs}`;
    const {
      ms = 0,
      deaf = false,
      late = false,
      fail,
      result: own,
      later,
      calls = 0,
      children = 0,
    } = { ...context.getInput('*'), ...context.getInput(name) };
    const seen = Object.fromEntries(
      Object.entries(context.dependencyResults).map(([parent, { result }]) => [parent, result?.run ?? null]),
    );
    const about = { task: context.taskUuid, step: name, attempt: context.attempt, rerun: context.rerun, run };
    note({ what: 'start', ...about, seen });
    const keys = Array.from({ length: children }, (_, i) => `child ${i}`);
    const tasks = await Promise.all(keys.map((key) => context.startTask('inner', {}, { key })));
    if (ms > 0) await pause(ms, context.signal, { deaf, about });
    if (late && context.attempt === 1) await signalOf(context.signal, about);
    if (later) {
      note({ what: 'token', ...about, token: await context.completionToken() });
      return this.completeLater(later);
    }
    const called = Number(context.checkpointCursor ?? 0);
    if (called < calls) return this.notYet({ retryInMs: 30, checkpoint: called + 1 });
    note({ what: 'end', ...about });
    if (children > 0) return this.untilTasksEnd(tasks);
    if (fail === 'always' || (fail === 'once' && context.attempt === 1))
      throw new Error('failed as the context requests');
    return { ...own, run };
  }
}

function pause(ms, signal, { deaf, about }) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      note({ what: 'abort', ...about, reason: String(signal.reason) });
      if (deaf) return timer.unref(); // the handler keeps its slot, but does not keep the process alive
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function signalOf(signal, about) {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      note({ what: 'abort', ...about, reason: String(signal.reason) });
      resolve();
    });
  });
}

const logAt = (level) => (fields, message) => {
  if (level === 'info' && !/^task /.test(message)) return;
  note({ what: level === 'info' ? 'ended' : 'log', level, ...fields, message: message ?? fields });
};
const logger = {
  trace() {},
  debug() {},
  info: logAt('info'),
  warn: logAt('warn'),
  error: logAt('error'),
  child: () => logger,
  isLevelEnabled: (level) => level !== 'debug' && level !== 'trace',
};

async function connect() {
  for (let tries = 0; ; tries++) {
    try {
      return await createTasker({ namespaces: ['test'], handlers: [Work], logger, ...options });
    } catch (error) {
      if (error.code !== 'database_unreachable' || tries >= (retries ?? 0)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const tasker = await connect();
say('ready');

let lines;
const stop = async (drainTimeoutMs) => {
  await tasker.stop({ drainTimeoutMs });
  note({ what: 'stopped' });
  lines.close();
  process.stdin.destroy();
};
process.once('SIGTERM', () => void stop(options.drainTimeoutMs ?? 2_000));
lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const [word, argument] = line.split(' ');
  if (word === 'stop') void stop(Number(argument));
  else if (word === 'block') while (existsSync(argument));
});
