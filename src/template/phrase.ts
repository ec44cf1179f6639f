import { pathText } from './locate.ts';
import { isFields, type Path } from './spellings.ts';

/** A path for people: "`retry.backoff` of step `ship`". */
export function phraseOf(written: Path, data: unknown): string {
  if (written.length === 0) return 'the template';
  if (written[0] === 'steps' && written.length > 1) return ofOwner(written.slice(2), stepPhrase(data, written[1]!));
  if (written[0] === 'environments' && written[2] === 'steps' && written.length > 3) {
    return ofOwner(written.slice(4), `entry ${Number(written[3]) + 1} of environment \`${written[1]}\``);
  }
  return `\`${pathText(written)}\``;
}

function ofOwner(rest: Path, owner: string): string {
  return rest.length === 0 ? owner : `\`${pathText(rest)}\` of ${owner}`;
}

function stepPhrase(data: unknown, index: string | number): string {
  const steps = isFields(data) && Array.isArray(data.steps) ? data.steps : [];
  const step: unknown = steps[Number(index)];
  const name = isFields(step) ? step.name : undefined;
  return typeof name === 'string' && name !== '' ? `step \`${name}\`` : `step ${Number(index) + 1}`;
}
