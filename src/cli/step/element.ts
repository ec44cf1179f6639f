import type { Command } from 'commander';
import { elementStepName, MOST_ELEMENTS } from '../../model/for-each.ts';
import { wholeNumber } from '../options.ts';

/** The option of commands that take a step of one element of a list. */
export interface ElementOption {
  element?: number;
}

/** Adds `--element` to a command that takes a step. Shells may read the brackets of `label[3]` as a pattern. */
export function addElement(command: Command): Command {
  return command.option(
    '--element <number>',
    'the element of a for_each that the step runs for, from 0: `label --element 3` is `label[3]`',
    wholeNumber({ least: 0, most: MOST_ELEMENTS - 1 }),
  );
}

/** Returns the name of a step, of an element if one was given. */
export function stepOf(step: string, { element }: ElementOption): string {
  return element === undefined ? step : elementStepName(step, element);
}
