import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { api } from '../../api/client.ts';
import { useLacking, useMe } from '../../api/me.tsx';
import type { ApiKey, CreatedApiKey } from '../../api/types.ts';
import { keepMadeKey, madeKey } from '../../frame/made-key.ts';
import { ActButton, Readable } from '../../parts/act-button.tsx';
import { Code, Empty, Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { ReadProblem } from '../../parts/read-problem.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';
import { Time } from '../../parts/text.tsx';
import { CreateKeyDialog, NewKey, RotateKeyDialog } from './key-dialogs.tsx';

const LOOKS = {
  active: ['complete', 'green'],
  replaced: ['waiting', 'amber'],
  expired: ['cancelled', 'grey'],
  revoked: ['cancelled', 'grey'],
} as const;

const columnsOf = (onRotate: (key: ApiKey) => void): readonly Column<ApiKey>[] => [
  {
    head: 'State',
    cell: ({ state }) => (
      <span className={`inline-flex items-center gap-1.5 ${HUES[LOOKS[state][1]]}`}>
        <StateShape state={LOOKS[state][0]} />
        <span className="capitalize">{state}</span>
      </span>
    ),
  },
  { head: 'Name', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Prefix', cell: ({ prefix }) => <span className="font-mono text-xs text-soft">{prefix}</span> },
  {
    head: 'May',
    kind: 'wide',
    cell: ({ roles, permissions }) => (
      <span className="text-soft" title={permissions.join(', ')}>
        {[...roles, ...permissions].join(', ')}
      </span>
    ),
  },
  { head: 'Namespaces', cell: ({ namespaces }) => namespaces?.join(', ') ?? <span className="text-faint">all</span> },
  { head: 'Last used', kind: 'num', cell: ({ last_used_at }) => <Time at={last_used_at} /> },
  { head: 'Expires', kind: 'num', cell: ({ expires_at }) => (expires_at ? <Time at={expires_at} /> : 'never') },
  { head: 'Created', kind: 'num', cell: ({ created_at }) => <Time at={created_at} /> },
  { head: '', kind: 'num', cell: (key) => <Acts apiKey={key} onRotate={() => onRotate(key)} /> },
];

function Acts({ apiKey: { name, prefix, state }, onRotate }: { apiKey: ApiKey; onRotate(): void }) {
  if (state !== 'active' && state !== 'replaced') return null;
  return (
    <span className="inline-flex gap-1">
      {state === 'active' && (
        <ActButton
          method={api.credentials.rotateKey}
          target={name}
          look="quiet"
          className="h-7 px-2"
          onClick={onRotate}
        >
          Rotate
        </ActButton>
      )}
      <ActButton
        method={api.credentials.revokeKey}
        target={name}
        look="quiet"
        className="h-7 px-2"
        act={{
          title: `Revoke the key ${name}`,
          verb: 'Revoke the key',
          danger: true,
          preview: `Requests with ${prefix}… are rejected immediately, and its sessions end. This cannot be undone.`,
          // Uses the prefix, because an older key may have the same name.
          run: (said) => api.credentials.revokeKey(prefix, said),
        }}
      >
        Revoke
      </ActButton>
    </span>
  );
}

/** The API keys. A new key is shown once. */
export function Keys() {
  const [search, setSearch] = useSearchParams();
  const [rotating, setRotating] = useState<ApiKey>();
  const [made, setShown] = useState(madeKey);
  const { authenticated } = useMe();
  const setMade = (key: CreatedApiKey | undefined) => {
    if (!authenticated || key === undefined) keepMadeKey(key);
    setShown(key);
  };
  const all = search.get('all') === 'true';
  const creating = search.get('create') === 'true';
  const lacking = useLacking()(api.credentials.keys);
  const { data, error } = useQuery({
    queryKey: ['keys', all],
    queryFn: ({ signal }) => api.credentials.keys({ all }, { signal }),
    enabled: lacking === undefined,
  });
  const set = (name: 'all' | 'create', on: boolean) =>
    setSearch(
      (now) => {
        if (on) now.set(name, 'true');
        else now.delete(name);
        return now;
      },
      { replace: true },
    );
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <label className="flex items-center gap-1.5 text-sm text-soft">
          <input type="checkbox" checked={all} onChange={({ target }) => set('all', target.checked)} />
          Show expired and revoked keys
        </label>
        <ActButton method={api.credentials.createKey} look="primary" onClick={() => set('create', true)}>
          Create a key
        </ActButton>
      </div>
      {made && <NewKey made={made} onClose={() => setMade(undefined)} />}
      <Readable method={api.credentials.keys}>
        <ReadProblem error={error} hasData={data !== undefined} />
        {data && (
          <Panel>
            {data.keys.length > 0 ? (
              <Grid name="Keys" columns={columnsOf(setRotating)} rows={data.keys} keyOf={({ id }) => id} />
            ) : (
              <Empty title="No keys">
                Anyone who can reach this server may use it. After the first key is created, every request needs a key.
                Create it here, or with <Code>npx tasker auth key create NAME --role admin</Code>.
              </Empty>
            )}
          </Panel>
        )}
      </Readable>
      {creating && lacking === undefined && data && (
        <CreateKeyDialog first={data.keys.length === 0} onClose={() => set('create', false)} onMade={setMade} />
      )}
      {rotating && <RotateKeyDialog apiKey={rotating} onClose={() => setRotating(undefined)} onMade={setMade} />}
    </>
  );
}
