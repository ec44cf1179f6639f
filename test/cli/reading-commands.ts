import type { Command } from 'commander';
import { makeProgram } from '../../src/cli/program.ts';

/** Commands that read no data of an installation, and commands that do not end. A noun stands for all its commands. */
const OTHERS = `archive, auth, completion, config, db, dev, doctor, event tail, generate, init, mcp, profile, server,
  task create, template compare, template diff, template export, template inspect, template validate`.split(/,\s*/);
/** Commands that read, and act only with further options. */
const READS = ['event dead'];

/**
 * The values of arguments, by the names of the arguments, such as `task step`, or by the command, such as `task get`. Each
 * item is the values of one run, and may have further options.
 */
export type ArgumentValues = Readonly<Record<string, readonly (readonly string[])[]>>;

/**
 * Returns the words of all commands that read data of an installation, with these values of their arguments. A command
 * that takes the name of an operator acts. Throws an error if a command needs other values.
 */
export async function readingCommands(values: ArgumentValues): Promise<string[][]> {
  return leavesOf(await makeProgram()).flatMap(({ words, command }) => {
    const name = words.join(' ');
    const acts = command.options.some(({ long }) => long === '--by') && !READS.includes(name);
    if (acts || OTHERS.includes(name) || OTHERS.includes(words[0]!)) return [];
    const signature = (all: boolean) =>
      command.registeredArguments
        .filter(({ required }) => required || all)
        .map((argument) => argument.name())
        .join(' ');
    const needed = values[signature(false)] ?? (signature(false) === '' ? [[]] : undefined);
    const optional = signature(true) === signature(false) ? [] : values[signature(true)];
    const given = values[name] ?? (needed && [...needed, ...(optional ?? [])]);
    if (!given) throw new Error(`tests need values for the arguments ${signature(false)} of tasker ${name}`);
    return given.map((one) => [...words, ...one]);
  });
}

function leavesOf(command: Command, words: string[] = []): { words: string[]; command: Command }[] {
  const own = command.commands.flatMap((one) => leavesOf(one, [...words, one.name()]));
  return own.length > 0 ? own : [{ words, command }];
}
