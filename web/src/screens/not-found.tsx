import { Link, useLocation } from 'react-router';
import { useLinks } from '../frame/namespace.ts';
import { Heading, Panel } from '../parts/controls.tsx';

export function NotFound() {
  const { pathname } = useLocation();
  const link = useLinks();
  return (
    <>
      <Heading title="Page not found" answer={`There is no page at ${pathname}`} />
      <Panel>
        <p className="px-4 py-6 text-sm text-soft">
          The address may be mistyped, or from another version. Go to{' '}
          <Link to={link('')} className="text-accent underline">
            Home
          </Link>{' '}
          or to{' '}
          <Link to={link('tasks')} className="text-accent underline">
            Tasks
          </Link>
          .
        </p>
      </Panel>
    </>
  );
}
