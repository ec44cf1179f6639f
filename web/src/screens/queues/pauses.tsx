import { Link } from 'react-router';
import { api, pathOf } from '../../api/client.ts';
import type { Method } from '../../api/routes.ts';
import type { Pause } from '../../api/types.ts';
import { useLinks, useNamespace } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import type { Act } from '../../parts/act-dialog.tsx';
import { Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { useList } from '../../parts/list-screen.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';
import { mayCover } from './may-cover.ts';

const MOST = 1000;

const COLUMNS: readonly Column<Pause>[] = [
  {
    head: 'Paused',
    cell: ({ scope }) => (
      <span className={`inline-flex items-center gap-1.5 ${HUES.slate}`}>
        <StateShape state="paused" />
        {scope}
      </span>
    ),
  },
  { head: 'Name', cell: (pause) => <Target pause={pause} /> },
  { head: 'By', cell: ({ paused_by: by }) => by },
  { head: 'Reason', kind: 'wide', cell: ({ reason }) => <span className="text-soft">{reason}</span> },
  { head: 'Since', kind: 'num', cell: ({ paused_at: at }) => <Time at={at} /> },
  { head: '', kind: 'num', cell: (pause) => <Resume pause={pause} /> },
];

/** Returns the method that ends a pause, and its call. */
function resumeOf({ scope, target }: Pause): { method: Method; run: Act['run'] } {
  const { tasks, namespaces, templates } = api;
  if (scope === 'task') return { method: tasks.resume, run: (said) => tasks.resume(target, said) };
  if (scope === 'namespace') return { method: namespaces.resume, run: (said) => namespaces.resume(target, said) };
  const [namespace = '', rest = ''] = target.split('/');
  const [name = '', version] = rest.split('@');
  return version === undefined
    ? { method: templates.resume, run: (said) => templates.resume(namespace, name, said) }
    : {
        method: templates.resumeVersion,
        run: (said) => templates.resumeVersion(namespace, name, version, said),
      };
}

function Target({ pause: { scope, target } }: { pause: Pause }) {
  const link = useLinks();
  const [namespace = '', rest = ''] = target.split('/');
  const to =
    scope === 'task'
      ? link(pathOf`tasks/${target}`)
      : link('tasks', scope === 'namespace' ? { namespace: target } : { namespace, name: rest.split('@')[0]! });
  return (
    <Link className="font-medium hover:text-accent hover:underline" to={to}>
      {target}
    </Link>
  );
}

function Resume({ pause }: { pause: Pause }) {
  const { scope, target } = pause;
  const { method, run } = resumeOf(pause);
  return (
    <ActButton
      method={method}
      target={target}
      look="quiet"
      className="h-7 px-2"
      act={{
        title: `Resume the ${scope} ${target}`,
        verb: `Resume the ${scope}`,
        preview: 'The pause ends, and its ready steps start.',
        run,
      }}
    >
      Resume
    </ActButton>
  );
}

/** All pauses that hold: of namespaces, templates and tasks. */
export function Pauses() {
  const namespace = useNamespace();
  const list = useList({ method: api.installation.pauses, rows: 'pauses', query: { limit: MOST } });
  const rows = list.rows?.filter((pause) => mayCover(pause, namespace));
  if (!rows || rows.length === 0) return null;
  return (
    <Panel title="Pauses">
      <Grid name="Pauses" columns={COLUMNS} rows={rows} keyOf={({ scope, target }) => `${scope} ${target}`} />
    </Panel>
  );
}
