import { isFields } from '../model/json.ts';
import type { ReadYaml } from './read-yaml.ts';
import { type Path, STEP_SPELLINGS, TASK_SPELLINGS } from './spellings.ts';
import type { Place } from './yaml-to-plain.ts';

/** A path that was found in a file. */
export interface Located {
  /** The place of the last part that exists in the file. */
  place: Place;
  /** The path, with the keys as the file spells them. */
  written: Path;
}

const OTHER = new Map([...TASK_SPELLINGS, ...STEP_SPELLINGS].map(({ first, other }) => [first, other]));

/** The names that authors use for fields that are missing, where they differ from the first spelling. */
const PREFERRED = new Map<string | number, string>([['namespace_name', 'namespace']]);

/**
 * Finds a path (in first spellings) in the file. If the file does not have the path, as with a missing field, returns
 * the place of its nearest existing ancestor.
 */
export function locate({ data, places, start }: ReadYaml, path: Path): Located {
  let place: Place = { key: start, value: start };
  let owner: unknown = data;
  const written: (string | number)[] = [];
  for (const [depth, part] of path.entries()) {
    const inside = typeof owner === 'object' && owner !== null ? places.get(owner) : undefined;
    const other = OTHER.get(String(part));
    const key = inside && !inside.has(part) && other !== undefined && inside.has(other) ? other : part;
    const found = inside?.get(key);
    if (!found)
      return { place, written: [...written, ...path.slice(depth).map((each) => PREFERRED.get(each) ?? each)] };
    written.push(key);
    place = found;
    owner = (owner as Record<string | number, unknown>)[key];
  }
  return { place, written };
}

/** Formats a path, for example `steps[2].retry.max_attempts`. */
export function pathText(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** Describes a path for messages, for example "`retry.backoff` of step `ship`". */
export function phraseOf(written: Path, data: unknown): string {
  if (written.length === 0) return 'the template';
  if (written[0] === 'steps' && written.length > 1) {
    const outer = stepIn(data, written[1]!);
    if (written[2] === 'steps' && written.length > 3)
      return ofOwner(written.slice(4), stepPhrase(stepIn(outer, written[3]!), written[3]!));
    return ofOwner(written.slice(2), stepPhrase(outer, written[1]!));
  }
  if (written[0] === 'environments' && written[2] === 'steps' && written.length > 3) {
    return ofOwner(written.slice(4), `entry ${Number(written[3]) + 1} of environment \`${written[1]}\``);
  }
  return `\`${pathText(written)}\``;
}

function ofOwner(rest: Path, owner: string): string {
  return rest.length === 0 ? owner : `\`${pathText(rest)}\` of ${owner}`;
}

function stepIn(owner: unknown, index: string | number): unknown {
  const steps: unknown[] = isFields(owner) && Array.isArray(owner.steps) ? owner.steps : [];
  return steps[Number(index)];
}

function stepPhrase(step: unknown, index: string | number): string {
  const name = isFields(step) ? step.name : undefined;
  return typeof name === 'string' && name !== '' ? `step \`${name}\`` : `step ${Number(index) + 1}`;
}
