// The readers of bench/rest-load.mjs, in a separate thread: streams of one task each, and streams of all tasks. Like
// browsers, they reconnect with the last id when their connection is lost.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const agent = new http.Agent({ keepAlive: false });
/** Number of connections that are opened at the same time. */
const OPENING_AT_ONCE = 50;
const MOST_RECENT = 2_000;
const counts = { events: 0, reconnected: 0, resumed: 0, resets: 0, refused: 0 };

/** Recently parsed blocks. All streams of all tasks get the same blocks, and parsing each again would use a core. */
const recent = new Map();

function fieldsOf(block) {
  const known = recent.get(block);
  if (known) return known;
  const fields = {};
  for (const line of block.split('\n')) {
    if (line.startsWith('data: ')) fields.data = JSON.parse(line.slice(6));
    else if (line.startsWith('event: ')) fields.event = line.slice(7);
    else if (line.startsWith('id: ')) fields.id = line.slice(4);
    else if (line.startsWith('retry: ')) fields.retry = Number(line.slice(7));
  }
  if (recent.size >= MOST_RECENT) recent.clear();
  recent.set(block, fields);
  return fields;
}

class Stream {
  /** The newest status of each task, and its revision. */
  seen = new Map();
  #path;
  #lastId;
  #retryMs = 1000;
  #first = deferred();

  constructor(path) {
    this.#path = path;
    void this.#run();
  }

  get begun() {
    return this.#first.promise;
  }

  async #run() {
    for (let tries = 0; ; tries++) {
      if (tries > 0) {
        await sleep(this.#retryMs);
        counts.reconnected++;
      }
      await new Promise((resolve) => this.#connect(resolve));
    }
  }

  #connect(over) {
    const headers = { accept: 'text/event-stream', ...(this.#lastId && { 'last-event-id': this.#lastId }) };
    const request = http.get(`${workerData.url}${this.#path}`, { agent, headers }, (answer) => {
      if (answer.statusCode !== 200) {
        counts.refused++;
        answer.resume();
      }
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        const blocks = (text + chunk).split('\n\n');
        text = blocks.pop();
        for (const block of blocks) this.#read(block);
      });
      answer.on('close', over);
      answer.on('error', () => {});
    });
    request.on('error', over);
  }

  #read(block) {
    const { event, data, id, retry } = fieldsOf(block);
    if (id !== undefined) this.#lastId = id;
    if (retry !== undefined) this.#retryMs = retry;
    if (event === undefined) return;
    counts.events++;
    if (event === 'reset') counts.resets++;
    if (event === 'open') {
      if (data.resumed) counts.resumed++;
      this.#first.resolve();
    }
    if (event !== 'task') return;
    const { task_uuid: task, status, revision } = data;
    const known = this.seen.get(task);
    if (known === undefined || known.revision <= revision) this.seen.set(task, { status, revision });
  }
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const single = new Map();
const all = [];

const ACTS = {
  async open({ tasks, everything }) {
    for (let i = 0; i < tasks.length; i += OPENING_AT_ONCE) {
      const some = tasks.slice(i, i + OPENING_AT_ONCE);
      for (const task of some) single.set(task, new Stream(`/v1/tasks/${task}/stream?kind=task`));
      await Promise.all(some.map((task) => single.get(task).begun));
    }
    for (let i = 0; i < everything; i++) all.push(new Stream('/v1/stream'));
    await Promise.all(all.map((stream) => stream.begun));
  },
  /** Counts the ends that the streams have not received yet. */
  async missing({ held, served }) {
    const stateOf = (stream, task) => stream.seen.get(task)?.status;
    const own = held.filter((task) => stateOf(single.get(task), task) !== 'cancelled').length;
    let others = 0;
    for (const stream of all) {
      for (const task of held) if (stateOf(stream, task) !== 'cancelled') others++;
      for (const task of served) if (stateOf(stream, task) !== 'complete') others++;
    }
    return { own, others };
  },
  async counts() {
    return { ...counts };
  },
};

parentPort.on('message', async ({ id, act, ...given }) =>
  parentPort.postMessage({ id, answer: await ACTS[act](given) }),
);
