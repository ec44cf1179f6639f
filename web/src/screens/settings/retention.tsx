import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import type { RetentionRule } from '../../api/types.ts';
import { Readable } from '../../parts/act-button.tsx';
import { Empty, Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { ReadProblem } from '../../parts/read-problem.tsx';
import { durationText } from '../../parts/words.ts';

const COLUMNS: readonly Column<RetentionRule & { at: number }>[] = [
  { head: 'Rule', kind: 'num', cell: ({ at }) => at + 1 },
  { head: 'Tasks', kind: 'wide', cell: (rule) => wordsOf(rule) },
  {
    head: 'Kept after their end',
    kind: 'num',
    cell: ({ keep_ms: keep }) => (keep > 0 ? durationText(keep) : 'forever'),
  },
];

function wordsOf({ keep_ms: _, at: __, ...rule }: RetentionRule & { at: number }): string {
  const parts = Object.entries(rule);
  if (parts.length === 0) return 'all others';
  return parts
    .map(([key, value]) => `${key.replaceAll('_', ' ')} ${[value].flat().join(' or ').replaceAll('_', ' ')}`)
    .join(', ');
}

const kept = (ms: number | null) => (ms ? durationText(ms) : 'forever');

/** The retention policy, and the last prune. */
export function RetentionView() {
  const lacking = useLacking()(api.installation.retention);
  const { data, error } = useQuery({
    queryKey: ['retention'],
    queryFn: ({ signal }) => api.installation.retention({ signal }),
    enabled: lacking === undefined,
  });
  return (
    <Readable method={api.installation.retention}>
      <ReadProblem error={error} hasData={data !== undefined} />
      {data && (
        <>
          <Panel title="Tasks" more={data.policy?.archive ? `archived in ${data.policy.archive}` : undefined}>
            {data.policy ? (
              <Grid
                name="Retention"
                columns={COLUMNS}
                rows={data.policy.rules.map((rule, at) => ({ ...rule, at }))}
                keyOf={({ at }) => String(at)}
              />
            ) : (
              <Empty title="Tasks are kept forever">Set retention in the configuration to prune ended tasks.</Empty>
            )}
          </Panel>
          <Panel title="Records">
            <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 px-4 py-3 text-sm">
              <dt className="text-faint">Durable events</dt>
              <dd>{kept(data.events_retention_ms)}</dd>
              <dt className="text-faint">Audit</dt>
              <dd>{kept(data.audit_retention_ms)}</dd>
            </dl>
          </Panel>
          {data.last_prune && (
            <Panel title="Last prune">
              <JsonTree name="the last prune" value={data.last_prune} />
            </Panel>
          )}
        </>
      )}
    </Readable>
  );
}
