/**
 * Returns the table of the commands that the text of a page does not describe, with their arguments, their options, and
 * what `--help` says about them.
 */
export function commandTable(program, text) {
  const rows = leavesOf(program, program.name())
    .filter(({ path }) => !text.includes(`\`${path}`))
    .map(({ path, command }) => {
      const given = command.registeredArguments.map((one) => ` ${one.name().toUpperCase()}`).join('');
      const options = command.options
        .filter(({ hidden }) => !hidden)
        .map(({ flags, description }) => ` \`${flags}\`: ${description}.`);
      return `| \`${path}${given}\` | ${[capital(command.description()), ...options].join('').replaceAll('|', '\\|')} |`;
    });
  return ['| command | |', '|---|---|', ...rows].join('\n');
}

function leavesOf(command, path) {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((one) => leavesOf(one, `${path} ${one.name()}`));
}

const capital = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
