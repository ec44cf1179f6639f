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
  it('generate types writes a file of types, and checks with --check whether the file is up to date', async () => {
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

  it('generate scaffold writes schemas and missing stubs, and checks with --check whether the schemas are up to date', async () => {
    const run = (given: string[]) => project.run(given, { endsEarly: true });
    const args = ['generate', 'scaffold', 'templates/pair.yaml', '-o', 'made'];
    const missing = await run([...args, '--check']);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('made/models/pair.ts does not match')]);
    expect(await run(args)).toMatchObject({ code: 0, stdout: '' });
    const stubs = await readFile(path.join(project.folder, 'made/handlers/pair.ts'), 'utf8');
    expect(stubs).toContain("export const second = defineHandler(\n  'second',");
    await project.write('made/handlers/pair.ts', '// mine');
    expect(await run([...args, '--check'])).toMatchObject({ code: 0 });
    expect((await run(args)).stderr).toContain('made/handlers/pair.ts exists, and is kept');
    expect(await readFile(path.join(project.folder, 'made/handlers/pair.ts'), 'utf8')).toBe('// mine');
    const handler = ['generate', 'handler', 'templates/pair.yaml'];
    expect((await run([...handler, '--step', 'first'])).stdout).toContain('export const first');
    expect(await run([...handler, '--step', 'third'])).toMatchObject({ code: 1 });
    expect(await run([...handler, '-o', 'made/handlers/pair.ts'])).toMatchObject({ code: 1 });
    const zod = await run(['generate', 'types', '--zod']);
    expect(zod.stdout).toContain('export const PairInputSchema = z.object({');
    expect(JSON.parse((await run(['template', 'inspect', 'templates/pair.yaml', '--json'])).stdout)).toMatchObject({
      execution_order: ['first', 'second'],
    });
    await project.write('other.yaml', TEMPLATE.replaceAll('second', 'third'));
    const diff = await run(['template', 'diff', 'templates/pair.yaml', 'other.yaml', '--check']);
    expect([diff.code, diff.stdout]).toEqual([
      1,
      expect.stringContaining('breaking  STEP_REMOVED: step second was removed'),
    ]);
    const compared = await run(['template', 'compare', 'templates/pair.yaml', 'first', 'second']);
    expect([compared.code, compared.stderr]).toEqual([2, expect.stringContaining('has no result_schema')]);
    const found = await run(['template', 'validate', 'other.yaml', '--findings']);
    expect(JSON.parse(found.stdout)).toMatchObject([{ valid: true, step_count: 2 }]);
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

  it('generate reports missing and invalid input with advice', async () => {
    const unnamed = await project.run(['generate', 'types', '--check']);
    expect([unnamed.code, unnamed.stderr]).toEqual([2, expect.stringContaining('name it with --out')]);
    const empty = await place.project('empty');
    const nothing = await empty.run(['generate', 'asyncapi']);
    expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('npx tasker-core init')]);
    await empty.write('templates/pair.yaml', PAIR.replace('[first]', '[frist]'));
    const broken = await empty.run(['generate', 'types']);
    expect([broken.code, broken.stdout, broken.stderr]).toEqual([
      1,
      '',
      expect.stringContaining('did you mean `first`?'),
    ]);
  });
});
