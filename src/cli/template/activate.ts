import { snakeKeys } from '../../app/json/views.ts';
import type { Activation } from '../../app/operator-types.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker template activate`. If the version is active already, changes nothing and exits with 0. */
export async function templateActivate(template: string, options: GlobalOptions & OperatorFlags): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const activation = await tasker.activateTemplate(template, operatorFrom(options));
    if (options.json) return printJson(snakeKeys(activation));
    note(described(activation));
  });
}

function described({ namespace, name, version, previousVersion, pinned, changed }: Activation): string {
  const template = `${namespace}/${name}`;
  const until = pinned
    ? `until the next activation; \`npx tasker template activate ${template}@latest\` ends this`
    : 'until a higher version is registered';
  if (!changed) return `${template}@${version} is already the active version, ${until}`;
  const before = previousVersion === version ? '' : ` instead of ${previousVersion}`;
  return `activated ${template}@${version}${before}: tasks without a version are created from it ${until}`;
}
