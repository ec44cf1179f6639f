import { userInfo } from 'node:os';
import type { Command } from 'commander';

/** The options that {@link addOperator} adds. */
export interface OperatorFlags {
  reason?: string;
  by?: string;
}

/** Adds the options that say who acts, and why. */
export function addOperator(command: Command): Command {
  return command
    .option('-r, --reason <text>', 'reason, kept in the history and the audit')
    .option('-b, --by <name>', 'name of the operator; default: the user of this system');
}

/** Returns the operator of a command, for the verbs of the library. */
export function operatorFrom({ by, reason }: OperatorFlags): { actor: string; reason: string | undefined } {
  return { actor: by ?? userName(), reason };
}

/** A container may run under a user id that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'cli';
  }
}
