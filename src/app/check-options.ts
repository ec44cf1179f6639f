import { TaskerError } from '../errors.ts';
import { nearNames } from '../model/near-names.ts';
import { kindOf } from '../model/shown-value.ts';

/** The names of all options of a type. The compiler refuses a missing or an unknown name. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses unknown options, so that a misspelt one is not ignored.
 * @throws TaskerError `config_invalid`, with every unknown option and similar names
 */
export function refuseUnknown(where: string, given: unknown, known: Readonly<Record<string, true>>): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TaskerError('config_invalid', `${where}: the options must be an object, got ${kindOf(given)}`);
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  const names = Object.keys(known);
  const faults = unknown.map((name) => {
    const near = nearNames(name, names);
    return `there is no option ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`;
  });
  const isGuessed = faults.every((fault) => fault.endsWith('?'));
  const all = isGuessed ? '' : `; the options are ${names.join(', ')}`;
  throw new TaskerError('config_invalid', `${where}: ${faults.join('; ')}${all}`);
}
