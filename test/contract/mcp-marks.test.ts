import { expect, it } from 'vitest';
import { READ_TOOLS, WRITE_TOOLS } from '../../src/cli/mcp/all-tools.ts';
import { argumentName, fieldsOf, parametersIn } from '../../src/cli/mcp/arguments.ts';
import { CONTRACT } from '../../src/contract/contract.ts';
import { serverProcess } from '../../src/contract/process.ts';
import type { Verb } from '../../src/contract/verb.ts';

const verbs = [serverProcess, ...Object.values(CONTRACT)].flatMap((noun): Verb[] => Object.values(noun));
const marks = verbs.flatMap((verb) => [verb.mcp ?? []].flat().map((mark) => ({ verb, mark })));
const tools = [...READ_TOOLS, ...WRITE_TOOLS];
const toolOf = (name: string) => tools.filter((tool) => tool.name === name);

it('each mark is one tool with the permission of its verb, and the tool only reads if the verb does', () => {
  const expected = marks.map(({ verb: { permission, method }, mark }) => [
    mark.name,
    permission === 'public' ? undefined : permission,
    method === 'get' ? 1 : 0,
  ]);
  const made = marks.map(({ mark: { name } }) => {
    const [tool, ...others] = toolOf(name);
    return [name, tool?.permission, others.length === 0 && READ_TOOLS.some((read) => read === tool) ? 1 : 0];
  });
  expect(made).toEqual(expected);
  const names = tools.map(({ name }) => name);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

it('a mark names only parameters and fields that its verb has', () => {
  const wrong = marks.flatMap(({ verb, mark }) => {
    const { path, query, body } = fieldsOf(verb, mark.fixed);
    const fields = Object.keys({ ...path, ...query, ...body });
    const shown = [...Object.keys(mark.about ?? {}), ...Object.keys(mark.defaults ?? {})];
    return [
      ...[...(mark.without ?? []), ...Object.keys(mark.fixed ?? {}), mark.operator ?? []].flat(),
      ...shown.filter((name) => !(name in toolOf(mark.name)[0]!.input)),
    ]
      .filter((name) => !fields.includes(name))
      .map((name) => `${mark.name}: ${name}`);
  });
  expect(wrong).toEqual([]);
});

it('the phrases and the previews of a mark name only arguments of the tool, and routes of the contract', () => {
  const reads = verbs.filter(({ method }) => method === 'get').map(({ path }) => path.replace(/\{\w+\}/g, '{}'));
  const wrong = marks.flatMap(({ mark }) => {
    const [tool] = toolOf(mark.name);
    const routes = [mark.preview ?? []].flat();
    const unknown = [mark.does ?? '', mark.rest ?? '', ...routes]
      .flatMap(parametersIn)
      .filter((name) => !(name in tool!.input));
    const strange = routes.filter((route) => !reads.includes(route.split('?')[0]!.replace(/\{\w+\}/g, '{}')));
    const describedBy =
      mark.describedBy === undefined || toolOf(mark.describedBy).length === 1 ? [] : [mark.describedBy];
    return [...unknown, ...strange, ...describedBy].map((name) => `${mark.name}: ${name}`);
  });
  expect(wrong).toEqual([]);
});

it('a verb that changes something and has a dry run shows it as the preview', () => {
  const dry = marks
    .filter(({ verb, mark }) => 'dry_run' in fieldsOf(verb, mark.fixed).body)
    .map(({ mark }) => mark.name);
  expect(WRITE_TOOLS.filter(({ dryRun }) => dryRun).map(({ name }) => name)).toEqual(dry);
  expect(dry).toContain('task_rerun');
  for (const name of dry) expect(Object.keys(toolOf(name)[0]!.input).map(argumentName)).not.toContain('dry_run');
});
