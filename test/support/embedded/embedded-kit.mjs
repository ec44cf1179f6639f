import { mustParseTemplate } from 'tasker-core';
import { testTasker } from 'tasker-core/testing';

const text = 'name: hello\nnamespace: demo\nversion: "1.0.0"\nsteps: [{ name: greet, handler: greet }]';
const templates = mustParseTemplate(text, { file: 'hello.yaml' });

const statuses = [];
for (let n = 0; n < 3; n++) {
  const began = performance.now();
  const kit = await testTasker({ templates, stubs: { greet: () => ({ hello: true }) } });
  const made = performance.now();
  statuses.push((await kit.run()).task.status);
  const ran = performance.now();
  await kit.stop();
  const times = [made - began, ran - made, performance.now() - ran].map((ms) => `${Math.round(ms)} ms`);
  if (process.argv.includes('--times')) console.log(`made in ${times[0]}, ran in ${times[1]}, stopped in ${times[2]}`);
}
console.log(statuses.join(' '));
