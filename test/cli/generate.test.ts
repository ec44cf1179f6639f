import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { asyncApiProblems } from '../support/async-api-form.ts';
import { installation, PAIR, type Project } from './installation.ts';

let place: Awaited<ReturnType<typeof installation>>;
let project: Project;

const EVENTS = `publishes_events: [{ name: pair.made, description: A pair., schema: { type: object, required: [made], properties: { made: { not: {} } } } }]`;
const TEMPLATE = PAIR.replace('handler: first }', `handler: first, ${EVENTS} }`);

beforeAll(async () => {
  place = await installation();
  project = await place.project('shop');
  await project.write('package.json', '{"name": "the-shop", "version": "3.1.0"}');
  await project.write('templates/pair.yaml', TEMPLATE);
});

afterAll(() => place?.remove());

describe('tasker generate', () => {
  it('generate types writes types, reports schemas that no type can express, and checks whether the file is up to date', async () => {
    const args = ['generate', 'types', '--out', 'src/made/events.ts'];
    const made = await project.run(args);
    expect(made).toMatchObject({ code: 0, stdout: '' });
    expect(made.stderr).toBe(
      'unknown: pair.made /properties/made: no type can express not\nwrote src/made/events.ts: 1 event, 1 input\n',
    );
    const text = await readFile(path.join(project.folder, 'src/made/events.ts'), 'utf8');
    expect(text).toContain("'pair.made': PairMadePayload;");
    expect((await project.run(['generate', 'types', 'templates/pair.yaml'])).stdout).toBe(text);
    expect(await project.run([...args, '--check'])).toMatchObject({ code: 0, stdout: '' });
    await project.write('src/made/events.ts', text.replace('made', 'makes'));
    const { code, stderr } = await project.run([...args, '--check']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('error: src/made/events.ts does not match the templates'),
    ]);
  });

  it('generate asyncapi writes a document named after the project, as YAML or JSON', async () => {
    const { code, stdout } = await project.run(['generate', 'asyncapi']);
    const document = parse(stdout) as { info: object };
    expect([code, document.info, asyncApiProblems(document)]).toEqual([0, { title: 'the-shop', version: '3.1.0' }, []]);
    const named = await project.run([
      'generate',
      'asyncapi',
      '-o',
      'api.json',
      '--title',
      'Shop',
      '--api-version',
      '4',
      '--description',
      'All.',
    ]);
    expect(named).toMatchObject({ code: 0, stdout: '', stderr: 'wrote api.json: 1 event\n' });
    const written = JSON.parse(await readFile(path.join(project.folder, 'api.json'), 'utf8')) as object;
    expect(written).toEqual({ ...document, info: { title: 'Shop', version: '4', description: 'All.' } });
  });

  it('generate reports missing and invalid input, and what to do', async () => {
    const unnamed = await project.run(['generate', 'types', '--check']);
    expect([unnamed.code, unnamed.stderr]).toEqual([2, expect.stringContaining('name it with --out')]);
    const empty = await place.project('empty');
    const nothing = await empty.run(['generate', 'asyncapi']);
    expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('npx tasker init')]);
    await empty.write('templates/pair.yaml', PAIR.replace('[first]', '[frist]'));
    const broken = await empty.run(['generate', 'types']);
    expect([broken.code, broken.stdout, broken.stderr]).toEqual([
      1,
      '',
      expect.stringContaining('did you mean `first`?'),
    ]);
  });
});
