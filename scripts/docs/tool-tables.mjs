import { schemaOf } from '../../dist/cli/mcp/arguments.js';
import { cell, code } from './verb-tables.mjs';

/** Arguments that nearly all tools of a kind have. The page describes them in its text. */
const OF_ALL = ['reason'];
const OF_PAGES = ['limit', 'cursor'];

const SECTIONS = {
  'Tools that read': (tool) => !tool.change,
  'Tools that change something': (tool) => tool.change,
};

/**
 * Returns the tables of tools for assistants. `conditionsOf`: the tool whose arguments are the conditions that others have
 * too.
 */
export function toolTables(tools, conditionsOf) {
  const all = Object.keys(tools.find(({ name }) => name === conditionsOf).input);
  const conditions = all.filter((name) => !OF_PAGES.includes(name));
  return Object.entries(SECTIONS)
    .flatMap(([title, belongs]) => [
      `## ${title}`,
      '',
      '| tool | arguments | permission | |',
      '|---|---|---|---|',
      ...tools.filter(belongs).map((tool) => rowOf(tool, tool.name === conditionsOf ? [] : conditions, conditionsOf)),
      '',
    ])
    .join('\n')
    .trimEnd();
}

function rowOf({ name, description, input, permission }, conditions, conditionsOf) {
  const names = Object.keys(input);
  const like = conditions.length > 0 && conditions.every((condition) => names.includes(condition));
  const own = names.filter((each) => !OF_ALL.includes(each) && !(like && conditions.includes(each)));
  const { required = [] } = schemaOf(input);
  const shown = own.map((each) => code(required.includes(each) ? each : `${each}?`));
  const taken = [...(like ? [`those of ${code(conditionsOf)}`] : []), ...shown].join(', ');
  const needs = permission ? code(permission) : '';
  return `| ${[code(name), taken, needs, description].map(cell).join(' | ')} |`
    .replaceAll('|  |', '| |')
    .replaceAll('|  |', '| |');
}
