import { Link, useSearchParams } from 'react-router';
import { api } from '../../api/client.ts';
import type { BulkAct } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { Pages, useList } from '../../parts/list-screen.tsx';
import { Time } from '../../parts/text.tsx';
import { numberText } from '../../parts/words.ts';

const COLUMNS: readonly Column<BulkAct>[] = [
  { head: 'When', cell: ({ created_at: at }) => <Time at={at} /> },
  { head: 'Who', cell: ({ actor }) => <span className="font-medium">{actor}</span> },
  { head: 'Action', cell: (act) => <ActLink act={act} /> },
  { head: 'Progress', cell: (act) => <Progress act={act} /> },
  { head: 'Skipped', kind: 'num', cell: ({ skipped_count: count }) => numberText(count) },
  {
    head: 'Failed',
    kind: 'num',
    cell: ({ failed_count: count }) => <span className={count > 0 ? 'text-s-red' : ''}>{numberText(count)}</span>,
  },
  { head: 'Reason', kind: 'wide', cell: ({ reason }) => <span className="text-soft">{reason}</span> },
  { head: '', kind: 'num', cell: (act) => <Acts act={act} /> },
];

function ActLink({ act: { id, action } }: { act: BulkAct }) {
  const link = useLinks();
  return (
    <Link
      className="hover:text-accent hover:underline"
      title="Show what the action did"
      to={link('audit', { view: 'acts', bulk: String(id) })}
    >
      {action.replaceAll('_', ' ')}
    </Link>
  );
}

function Progress({ act: { matched, done, skipped_count: skipped, failed_count: failed, state } }: { act: BulkAct }) {
  const share = matched === 0 ? 1 : (done + skipped + failed) / matched;
  return (
    <span className="inline-flex items-center gap-2">
      <span className="flex h-1 w-16 overflow-hidden rounded-full bg-line">
        <span className={state === 'stopped' ? 'bg-s-amber' : 'bg-s-green'} style={{ width: `${share * 100}%` }} />
      </span>
      <span className="text-xs text-faint tabular-nums">
        {numberText(done)}/{numberText(matched)} {state}
      </span>
    </span>
  );
}

function Acts({ act: { id, state, ended_at: ended } }: { act: BulkAct }) {
  const stopped = state === 'stopped';
  if (!stopped && ended !== null) return null;
  const verb = stopped ? 'Resume' : 'Stop';
  const method = stopped ? api.bulkActs.resume : api.bulkActs.stop;
  return (
    <ActButton
      method={method}
      target={String(id)}
      look="quiet"
      className="h-7 px-2"
      act={{
        title: `${verb} the bulk action ${id}`,
        verb: `${verb} the bulk action`,
        preview: stopped
          ? 'It continues with the tasks that are left. Nothing is done twice.'
          : 'The tasks that are done stay done. The others stay as they are, and it can be resumed.',
        run: (said) => method(id, said),
      }}
    >
      {verb}
    </ActButton>
  );
}

/** The actions on many tasks, newest first, with their progress. */
export function BulkActs() {
  const cursor = useSearchParams()[0].get('cursor') ?? undefined;
  const { rows, error, next, all } = useList({ method: api.bulkActs.list, rows: 'bulk_acts', query: { cursor } });
  if (error && !rows) return <Problem error={error} />;
  if (!rows) return null;
  return (
    <Panel>
      {rows.length > 0 ? (
        <Grid
          name="Bulk actions"
          columns={COLUMNS}
          rows={rows}
          keyOf={({ id }) => String(id)}
          all={all}
          pages={<Pages next={next} />}
        />
      ) : (
        <Empty title="No bulk actions yet">
          An action on many tasks, such as the retry of a cause, appears here with its progress. It can be stopped and
          resumed.
        </Empty>
      )}
    </Panel>
  );
}
