// The worker of W10: one process that claims steps over HTTP and completes them immediately.
//   node bench/http-client.mjs URL STEPS_AT_A_TIME
import { randomUUID } from 'node:crypto';
import http from 'node:http';

const [, , url, most] = process.argv;
const LANES = 4;
const agent = new http.Agent({ keepAlive: true });

function ask(path, body) {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}/v1/${path}`, { method: 'POST', headers, agent }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const json = JSON.parse(Buffer.concat(parts).toString());
        if (answer.statusCode < 300) resolve(json);
        else reject(new Error(`${path}: ${answer.statusCode} ${JSON.stringify(json)}`));
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

const { worker_id, heartbeat_ms } = await ask('workers', {
  protocol: 1,
  name: 'bench',
  instance: randomUUID(),
  namespaces: ['bench'],
  handlers: ['work'],
  slots: Number(most),
});
let request_id = 0;
const held = new Map();

async function lane() {
  const slots = Math.max(1, Math.min(1000, Math.floor(Number(most) / LANES)));
  for (;;) {
    const { steps } = await ask('steps/claim', { worker_id, request_id: ++request_id, slots, wait_ms: 5000 });
    if (steps.length === 0) continue;
    for (const { step_uuid, fence } of steps) held.set(`${step_uuid} ${fence}`, { step_uuid, fence });
    const reports = steps.map(({ step_uuid, fence }) => ({
      action: 'complete',
      step_uuid,
      fence,
      result: { ok: true },
    }));
    await ask('steps/batch', { steps: reports });
    for (const { step_uuid, fence } of steps) held.delete(`${step_uuid} ${fence}`);
  }
}

setInterval(() => void ask(`workers/${worker_id}/heartbeat`, { steps: [...held.values()] }), heartbeat_ms);
for (let i = 0; i < LANES; i++) void lane();
console.log('ready');
