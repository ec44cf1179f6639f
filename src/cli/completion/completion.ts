// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the placeholders are those of a shell
import type { Command, Option } from 'commander';
import { print } from '../show/output.ts';
import type { Shell } from './shells.ts';

/** `tasker completion`: prints the script of a shell, made from the commands of the program. */
export function completion(program: Command, shell: Shell): void {
  print(scriptOf(program, shell));
}

/** The continuations of a command: its words, such as `task list`, with its subcommands and options. */
interface Place {
  /** Empty for the program itself. */
  words: string;
  commands: { name: string; about: string }[];
  options: { flags: string[]; takesValue: boolean; choices: readonly string[]; about: string }[];
}

/** Returns the script. It is static, so that completing starts no process. */
function scriptOf(program: Command, shell: Shell): string {
  const places = placesOf(program);
  switch (shell) {
    case 'bash':
      return bash(places);
    case 'zsh':
      return `#compdef tasker\nautoload -U +X bashcompinit && bashcompinit\n${bash(places)}`;
    case 'fish':
      return fish(places);
  }
}

function placesOf(program: Command): Place[] {
  const global = program.options.map(optionOf);
  const walk = (command: Command, words: string[]): Place[] => [
    {
      words: words.join(' '),
      commands: command.commands.map((one) => ({ name: one.name(), about: firstLine(one.description()) })),
      options: [...(command === program ? [] : command.options.map(optionOf)), ...global],
    },
    ...command.commands.flatMap((one) => walk(one, [...words, one.name()])),
  ];
  return walk(program, []);
}

function optionOf({ short, long, required, optional, argChoices, description }: Option): Place['options'][number] {
  return {
    flags: [long, short].filter((flag) => flag !== undefined),
    takesValue: required || optional,
    choices: argChoices ?? [],
    about: firstLine(description),
  };
}

function firstLine(text: string): string {
  return text.split('\n')[0]!;
}

/** Quotes a string for all three shells. Within single quotes, only the quote itself needs escaping. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bash(places: readonly Place[]): string {
  const words = places.map(
    ({ words, commands, options }) =>
      `    ${quoted(words)}) commands=${quoted(commands.map(({ name }) => name).join(' '))}; options=${quoted(options.map(({ flags }) => flags[0]).join(' '))} ;;`,
  );
  const valued = new Map<string, readonly string[]>();
  for (const { flags, takesValue, choices } of places.flatMap(({ options }) => options)) {
    for (const flag of takesValue ? flags : []) valued.set(flag, [...(valued.get(flag) ?? []), ...choices]);
  }
  const choices = [...valued].filter(([, values]) => values.length > 0);
  return [
    '_tasker() {',
    '  local place="" word commands options previous="${COMP_WORDS[COMP_CWORD-1]}" current="${COMP_WORDS[COMP_CWORD]}" skip=""',
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    if [ -n "$skip" ]; then skip=""; continue; fi',
    '    case "$word" in',
    `      ${[...valued.keys()].join('|')}) skip=1 ;;`,
    '      -*) ;;',
    '      *) case "${place:+$place }$word" in',
    `        ${places
      .filter(({ words }) => words !== '')
      .map(({ words }) => quoted(words))
      .join('|')}) place="\${place:+$place }$word" ;;`,
    '      esac ;;',
    '    esac',
    '  done',
    '  case "$previous" in',
    ...choices.map(
      ([flag, values]) =>
        `    ${flag}) COMPREPLY=($(compgen -W ${quoted([...new Set(values)].join(' '))} -- "$current")); return ;;`,
    ),
    '  esac',
    '  if [ -n "$skip" ]; then COMPREPLY=($(compgen -f -- "$current")); return; fi',
    '  case "$place" in',
    ...words,
    '  esac',
    '  case "$current" in',
    '    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;',
    '    *) COMPREPLY=($(compgen -W "$commands" -- "$current")) ;;',
    '  esac',
    '}',
    'complete -F _tasker tasker',
  ].join('\n');
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ words, commands, options }) => {
    const parts = words === '' ? [] : words.split(' ');
    const others = commands.map(({ name }) => name).join(' ');
    const here = parts.map((part) => `__fish_seen_subcommand_from ${part}`);
    const before = others === '' ? [] : [`not __fish_seen_subcommand_from ${others}`];
    const condition = (tests: string[]) => (tests.length === 0 ? '' : ` -n ${quoted(tests.join('; and '))}`);
    return [
      ...commands.map(
        ({ name, about }) => `complete -c tasker -f${condition([...here, ...before])} -a ${name} -d ${fishText(about)}`,
      ),
      ...options.map(({ flags, takesValue, choices, about }) => {
        const names = flags
          .map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
          .join(' ');
        const values = choices.length > 0 ? ` -a ${quoted(choices.join(' '))}` : '';
        return `complete -c tasker${condition(here)} ${names}${takesValue ? ' -r' : ''}${values} -d ${fishText(about)}`;
      }),
    ];
  });
  // Removes duplicates, because the program's options appear for every command.
  return [...new Set(lines)].join('\n');
}

/** In fish, a backslash escapes a quote within single quotes. */
function fishText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
