import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { ask, pathOf } from '../api/client.ts';
import { useLinks } from '../frame/namespace.ts';
import { Heading, Panel, Problem } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';

interface Detail {
  description: string | null;
  steps: { name: string; description: string | null; default_retryable: boolean; default_max_attempts: number }[];
}

const COLUMNS: readonly Column<Detail['steps'][number]>[] = [
  { head: 'Step', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Description', kind: 'wide', cell: ({ description }) => <span className="text-soft">{description}</span> },
  { head: 'Attempts', kind: 'num', cell: (step) => (step.default_retryable ? step.default_max_attempts : 'one only') },
];

export default function Template() {
  const { namespace = '', name = '', version = '' } = useParams();
  const link = useLinks();
  const path = pathOf`v1/templates/${namespace}/${name}/${version}`;
  const { data, error } = useQuery({
    queryKey: ['template', path],
    queryFn: ({ signal }) => ask<Detail>(path, { signal }),
  });
  return (
    <>
      <p className="mb-1 text-sm text-faint">
        <Link to={link('templates')} className="hover:text-ink hover:underline">
          Templates
        </Link>{' '}
        / {namespace}
      </p>
      <Heading title={`${name} ${version}`} answer={data ? (data.description ?? 'No description') : '\u00a0'}>
        <Link className="text-sm text-accent hover:underline" to={link('tasks', { namespace, name })}>
          Show tasks
        </Link>
      </Heading>
      {error && <Problem error={error} />}
      {data && (
        <Panel title="Steps">
          <Grid name="Steps" columns={COLUMNS} rows={data.steps} keyOf={(step) => step.name} />
        </Panel>
      )}
    </>
  );
}
