import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { server } from '../api/client.ts';
import { useConnection } from '../api/connection.tsx';
import { useLive } from '../api/live.tsx';
import { useMe } from '../api/me.tsx';
import { useTemplates } from '../api/templates.ts';
import { Button } from '../parts/controls.tsx';
import { clockText } from '../parts/words.ts';
import { ZonePicker } from '../parts/zone-picker.tsx';
import { PALETTE_KEYS } from './keys.tsx';
import { useNamespace } from './namespace.ts';

interface TopBarProps {
  onPalette(): void;
  onMenu(): void;
}

/** Not shown, because most installations use it. */
const DEFAULT_SCHEMA = 'tasker';

export function TopBar({ onPalette, onMenu }: TopBarProps) {
  const { data: health } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => server.detailed({ signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const environment = health?.info.environment;
  const production = environment === 'production';
  const schema = health?.info.schema;
  return (
    <div
      className={`sticky top-0 z-10 flex h-12 items-center gap-2 border-b bg-surface px-3 sm:px-6 ${production ? 'border-t-2 border-t-s-red border-b-line' : 'border-line'}`}
    >
      <Button look="quiet" className="px-2 sm:hidden" aria-label="Open the navigation" onClick={onMenu}>
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <path d="M2 4h12M2 8h12M2 12h12" stroke="currentColor" strokeWidth="1.5" />
        </svg>
      </Button>
      <Namespaces />
      {environment && (
        <span
          className={`max-w-24 truncate rounded px-1.5 sm:max-w-44 text-xs ${production ? 'bg-t-red font-semibold text-s-red' : 'bg-hover text-soft'}`}
        >
          {environment}
        </span>
      )}
      {schema !== undefined && schema !== DEFAULT_SCHEMA && (
        <span
          className="hidden rounded bg-hover px-1.5 font-mono text-xs text-soft sm:inline"
          title="The schema of the database"
        >
          {schema}
        </span>
      )}
      <div className="grow" />
      <button
        type="button"
        className="flex h-8 items-center gap-2 rounded-md border border-edge px-2 text-sm text-faint hover:bg-hover md:w-56 md:px-2.5"
        onClick={onPalette}
      >
        <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
          <path d="M6 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8M9 9l3 3" fill="none" stroke="currentColor" strokeWidth="1.4" />
        </svg>
        <span className="grow text-left max-md:sr-only">Search or go to</span>
        <kbd className="font-sans text-xs max-md:hidden">{PALETTE_KEYS}</kbd>
      </button>
      <ZonePicker className="max-lg:hidden" />
      <LiveSwitch />
      <User />
    </div>
  );
}

function Namespaces() {
  const namespace = useNamespace();
  const [, setSearch] = useSearchParams();
  const { data } = useTemplates(60_000);
  const names = [...new Set(data?.templates.map((template) => template.namespace))].sort();
  if (namespace && !names.includes(namespace)) names.push(namespace);
  return (
    <select
      aria-label="Namespace"
      className="h-8 max-w-44 min-w-0 rounded-md border border-edge bg-surface px-2 text-sm text-ink"
      value={namespace ?? ''}
      onChange={({ target }) =>
        setSearch((search) => {
          search.delete('cursor');
          if (target.value === '') search.delete('namespace');
          else search.set('namespace', target.value);
          return search;
        })
      }
    >
      <option value="">All namespaces</option>
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

/** The user who is logged in. */
function User() {
  const { subject, authenticated } = useMe();
  const queries = useQueryClient();
  const logOut = useMutation({
    mutationFn: () => server.endSession(),
    onSuccess: () => {
      queries.clear();
      location.reload();
    },
  });
  if (!authenticated) return null;
  return (
    <>
      <span className="max-w-36 truncate text-sm text-soft max-lg:hidden" title={`Logged in as ${subject}`}>
        {subject}
      </span>
      <Button look="quiet" className="max-sm:px-2" title={`Logged in as ${subject}`} onClick={() => logOut.mutate()}>
        Log out
      </Button>
    </>
  );
}

function LiveSwitch() {
  const { on, since, toggle } = useLive();
  const { problem } = useConnection();
  const isLost = on && problem !== undefined;
  const word = since ? `Paused at ${clockText(since)}` : isLost ? 'Reconnecting' : 'Live';
  return (
    <Button
      role="switch"
      aria-checked={on}
      aria-label={word === 'Live' ? 'Live' : `Live: ${word}`}
      look="quiet"
      title={on ? 'The page updates itself. Click to pause.' : 'Click to continue.'}
      onClick={toggle}
    >
      <span className={`size-2 rounded-full ${isLost ? 'bg-s-amber' : on ? 'bg-s-green' : 'bg-s-slate'}`} />
      {word}
    </Button>
  );
}
