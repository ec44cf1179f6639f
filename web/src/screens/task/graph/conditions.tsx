import type { ReactNode } from 'react';
import type { GraphNode } from '../../../api/types.ts';
import { Code } from '../../../parts/controls.tsx';

/** The conditions of a step in its template. */
export type StepConditions = Pick<GraphNode, 'run_if' | 'join' | 'when'>;

const RUN_IF: Readonly<Record<NonNullable<StepConditions['run_if']>, string>> = {
  complete: 'all steps before it completed',
  not_failed: 'no step before it failed',
  failed: 'a step before it failed',
  ended: 'the steps before it ended, even if they failed',
};

/** Returns whether the edges to a step are routes: it runs after a failure. */
export function isRoute({ run_if: runIf }: StepConditions): boolean {
  return runIf === 'failed' || runIf === 'ended';
}

/** The conditions of a step in words, with the code of its template. */
export function Conditions({ of: { run_if: runIf, join, when } }: { of: StepConditions }) {
  const isJoin = join === 'any';
  if (runIf === null && !isJoin && when === null) return null;
  return (
    <section aria-label="Conditions" className="border-b border-line px-4 py-3">
      <dl className="grid grid-cols-[56px_1fr] gap-y-1.5 text-sm">
        {runIf !== null && (
          <Condition name="Runs if">
            {RUN_IF[runIf]} <Code>run_if: {runIf}</Code>
          </Condition>
        )}
        {isJoin && (
          <Condition name="Starts">
            when the first of the steps before it completes <Code>join: any</Code>
          </Condition>
        )}
        {when !== null && (
          <Condition name="When">
            <code className="font-mono text-xs leading-5 whitespace-pre-wrap [overflow-wrap:anywhere]">{when}</code>
          </Condition>
        )}
      </dl>
    </section>
  );
}

function Condition({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}
