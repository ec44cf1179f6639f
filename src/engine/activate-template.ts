import { isLockTimeout } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { LATEST } from '../model/schedule/spec.ts';
import { lockActive, setActive } from '../store/active-versions.ts';
import { noteAct } from '../store/audit.ts';
import { versionsOf } from '../store/templates.ts';
import { readVersionedName } from '../template/template-name.ts';
import { highestVersion } from '../template/version-order.ts';
import { namedTemplate } from './named-template.ts';
import { type OperatorOptions, operatorOf } from './operator-actions.ts';
import { activeIsHeld, CHANGING_ACTIVE, type TemplateStore } from './template-store.ts';

/** The result of an activation. */
export interface Activation {
  namespace: string;
  name: string;
  /** The active version, which requests without a version now mean. */
  version: string;
  /** The version that was active before. */
  previousVersion: string;
  /** Whether the version stays active when a higher version is registered. */
  pinned: boolean;
  /** False if the version was active and pinned, or not pinned, already. */
  changed: boolean;
}

/**
 * Makes a version of a template the active version, which requests without a version mean. The version is pinned: the
 * registration of a higher version does not replace it. `latest` makes the highest version active, and ends the pin.
 * Once this has returned, no request without a version creates a task of another version. Running tasks keep theirs.
 * @throws TaskerError `bad_request`, `template_not_found`, `timeout` if a transaction that creates a task of the template
 * stays open
 */
export async function activateTemplate(
  { database, templates }: { database: Database; templates: TemplateStore },
  template: string,
  options: OperatorOptions,
): Promise<Activation> {
  const { namespace: given, name: named, version: wanted } = readVersionedName(template);
  const operator = operatorOf(options);
  const isLatest = wanted === LATEST;
  const path = given === undefined ? named : `${given}/${named}`;
  const found = await namedTemplate({ database, templates }, isLatest ? path : template);
  const { namespaceId, namespace, name } = found;
  const activation = await database
    .transaction(CHANGING_ACTIVE, async (tx): Promise<Activation> => {
      const highest = highestVersion(await versionsOf(tx, namespace, name))!;
      const before = await lockActive(tx, { namespaceId, name }, highest);
      // Under the lock, because a registration may have added a version in the meantime.
      const version = found.version ?? highestVersion(await versionsOf(tx, namespace, name))!;
      const after = { version, pinned: !isLatest };
      const changed = before.version !== version || before.pinned !== after.pinned;
      if (changed) {
        await setActive(tx, { namespaceId, name }, after);
        const target = `template ${namespace}/${name}@${version}`;
        const states = { fromState: before.version, toState: version };
        await noteAct(tx, { action: 'activate', target, ...states, details: JSON.stringify(after) }, operator);
      }
      return { namespace, name, ...after, previousVersion: before.version, changed };
    })
    .catch((error: unknown) => {
      throw isLockTimeout(error) ? activeIsHeld({ namespace, name }, error) : error;
    });
  templates.forgetActive({ namespace, name });
  return activation;
}
