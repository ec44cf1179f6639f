import type { Engine } from '../engine.ts';
import { planOfRules, type RetentionRule } from './plan.ts';
import { PruneAct } from './prune-act.ts';

/** The configured rules for tasks that the workers prune automatically. */
export interface RetentionPolicy {
  /** The first rule that a task meets decides. */
  rules: readonly RetentionRule[];
  /** An existing folder for archive files; if undefined, nothing is archived. */
  archive: string | undefined;
  releaseKeys: boolean;
  /** The fraction of the time in which the pruning process works. */
  share: number;
}

/** The operator of the policy in the audit. */
const ACTOR = { actor: 'retention', reason: null, door: 'policy', bulkId: null } as const;

/**
 * Prunes by the policy, if it is due and no other process is pruning. A folder that does not exist is not created: it
 * may be a volume that is not mounted.
 */
export function prunePolicy(
  engine: Engine,
  { rules, archive, releaseKeys, share }: RetentionPolicy,
  signal: AbortSignal,
): PruneAct {
  return new PruneAct(engine, () => planOfRules(engine.database, rules), {
    byPolicy: true,
    archive,
    createFolder: false,
    releaseKeys,
    share,
    shown: { policy: true },
    operator: ACTOR,
    signal,
  });
}
