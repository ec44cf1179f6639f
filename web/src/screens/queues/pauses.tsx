import { Link } from 'react-router';
import { ask, pathOf } from '../../api/client.ts';
import type { Pause } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { useList } from '../../parts/list-screen.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';

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

/** Returns the path of what is paused, in the API, and the route that resumes it. */
function placeOf({ scope, target }: Pause): { path: string; route: string } {
  if (scope === 'task') return { path: pathOf`v1/tasks/${target}`, route: 'POST /v1/tasks/{uuid}/resume' };
  if (scope === 'namespace') {
    return { path: pathOf`v1/namespaces/${target}`, route: 'POST /v1/namespaces/{namespace}/resume' };
  }
  const [namespace = '', rest = ''] = target.split('/');
  const [name = '', version] = rest.split('@');
  const path = pathOf`v1/templates/${namespace}/${name}`;
  return version === undefined
    ? { path, route: 'POST /v1/templates/{namespace}/{name}/resume' }
    : {
        path: `${path}/${encodeURIComponent(version)}`,
        route: 'POST /v1/templates/{namespace}/{name}/{version}/resume',
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
  const { path, route } = placeOf(pause);
  return (
    <ActButton
      route={route}
      target={target}
      look="quiet"
      className="h-7 px-2"
      act={{
        title: `Resume the ${scope} ${target}`,
        verb: `Resume the ${scope}`,
        preview: 'The pause ends, and its ready steps start.',
        run: (said) => ask(`${path}/resume`, { method: 'POST', body: said }),
      }}
    >
      Resume
    </ActButton>
  );
}

/** All pauses that hold: of namespaces, templates and tasks. */
export function Pauses() {
  const { rows } = useList<Pause>('/v1/pauses', 'pauses', { limit: MOST });
  if (!rows || rows.length === 0) return null;
  return (
    <Panel title="Pauses">
      <Grid name="Pauses" columns={COLUMNS} rows={rows} keyOf={({ scope, target }) => `${scope} ${target}`} />
    </Panel>
  );
}
