import { userInfo } from 'node:os';
import type { Command } from 'commander';

/** The options that {@link addOperator} adds. */
export interface OperatorFlags {
  reason?: string;
  by?: string;
}

/** Adds the options for the name of the operator and the reason. */
export function addOperator(command: Command): Command {
  return command
    .option('-r, --reason <text>', 'reason, kept in the history and the audit')
    .option('-b, --by <name>', 'name of the operator; default: the OS user');
}

/** Returns the operator of a command, in the form that the library takes. */
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
