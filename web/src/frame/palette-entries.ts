import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, pathOf, server } from '../api/client.ts';
import { useLive } from '../api/live.tsx';
import { useLacking, useMe } from '../api/me.tsx';
import type { Method } from '../api/routes.ts';
import { useTemplates } from '../api/templates.ts';
import type { TaskPage } from '../api/types.ts';
import { lookOf } from '../parts/state.tsx';
import { useLinks } from './namespace.ts';
import { SCREENS } from './screens.ts';
import { chooseTheme, useIsDark } from './theme.ts';

export interface Entry {
  name: string;
  /** The kind of entry, shown on the right. */
  kind: string;
  /** The address that the entry opens. */
  to?: string;
  /** Runs the action of the entry. */
  run?(): void;
  /** The permission that the user lacks for the action. */
  lacking?: string | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MOST = 14;
const MOST_TASKS = 4;
/** Delay after the last keystroke before tasks are searched. */
const TYPING_MS = 200;
const STALE_MS = 10_000;

/** Returns the places and actions that match a string. */
export function useEntries(text: string): { entries: Entry[]; searching: boolean } {
  const link = useLinks();
  const { tasks, searching } = useTasks(text);
  const acts = useActs();
  const templates = useTemplateEntries();
  const workers = useWorkerEntries();
  const has = ({ name }: { name: string }) => words(text).every((word) => name.toLowerCase().includes(word));
  const screens = SCREENS.map(({ name, path }): Entry => ({ name, kind: 'screen', to: link(path) }));
  if (text === '') return { entries: [...screens, ...acts].slice(0, SCREENS.length + acts.length), searching: false };
  const found = [
    ...tasks,
    ...screens.filter(has),
    ...templates.filter(has),
    ...workers.filter(has),
    ...acts.filter(has),
  ];
  if (!UUID.test(text)) {
    found.push({ name: `Tasks with tag ${text}`, kind: 'search', to: link('tasks', { tag: text }) });
    found.push({ name: `Tasks named ${text}`, kind: 'search', to: link('tasks', { name: text }) });
  }
  return { entries: found.slice(0, MOST), searching };
}

const words = (text: string) => text.toLowerCase().split(/\s+/);

/** The tasks whose id, key or tag matches the search. */
function useTasks(text: string): { tasks: Entry[]; searching: boolean } {
  const link = useLinks();
  const [asked, setAsked] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const isId = UUID.test(text);
  const search = (by: 'key' | 'tag') => ({
    queryKey: ['palette', by, asked],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.tasks.list({ ...(by === 'key' ? { key: asked } : { tag: asked }), per_page: MOST_TASKS }, { signal }),
    enabled: asked !== '' && asked === text && !isId,
    staleTime: STALE_MS,
    retry: false,
  });
  const byKey = useQuery(search('key'));
  const byTag = useQuery(search('tag'));
  if (isId) return { tasks: [{ name: text, kind: 'open task', to: link(pathOf`tasks/${text}`) }], searching: false };
  const entriesOf = (by: string, found: TaskPage | undefined) =>
    (found?.tasks ?? []).map(
      ({ task_uuid: uuid, namespace, name, status }): Entry => ({
        name: `${namespace}/${name} ${uuid.slice(0, 8)}…${uuid.slice(-4)}`,
        kind: `${lookOf(status).word}, by ${by}`,
        to: link(pathOf`tasks/${uuid}`),
      }),
    );
  return {
    tasks: asked === text ? [...entriesOf('key', byKey.data), ...entriesOf('tag', byTag.data)] : [],
    searching: asked !== text || byKey.isFetching || byTag.isFetching,
  };
}

function useTemplateEntries(): Entry[] {
  const link = useLinks();
  const { data } = useTemplates(STALE_MS);
  const lacking = useLacking()(api.tasks.create);
  return (data?.templates ?? []).flatMap(({ namespace, name, version }) => {
    const to = link(pathOf`templates/${namespace}/${name}/${version}`);
    const label = `${namespace}/${name}@${version}`;
    return [
      { name: label, kind: 'template', to },
      {
        name: `Create a task of ${label}`,
        kind: 'act',
        to: link(`${pathOf`templates/${namespace}/${name}/${version}`}/new`),
        lacking,
      },
    ];
  });
}

function useWorkerEntries(): Entry[] {
  const link = useLinks();
  const lacking = useLacking();
  const { data } = useQuery({
    queryKey: ['palette', 'workers'],
    queryFn: ({ signal }) => api.workers.list({}, { signal }),
    enabled: lacking(api.workers.list) === undefined,
    staleTime: STALE_MS,
  });
  return (data?.workers ?? []).map(({ id, name, host }) => ({
    name,
    kind: `worker on ${host}`,
    to: link(pathOf`workers/${String(id)}`),
  }));
}

function useActs(): Entry[] {
  const link = useLinks();
  const live = useLive();
  const lacking = useLacking();
  const { authenticated } = useMe();
  const queries = useQueryClient();
  const act = (name: string, method: Method, to: string): Entry => ({
    name,
    kind: 'act',
    to,
    lacking: lacking(method),
  });
  const dark = useIsDark();
  return [
    act('Create a schedule', api.schedules.create, link('schedules/new/form')),
    act('Create a key', api.credentials.createKey, link('settings', { view: 'keys', create: 'true' })),
    { name: live.on ? 'Pause live data' : 'Continue live data', kind: 'act', run: live.toggle },
    {
      name: dark ? 'Use light colors' : 'Use dark colors',
      kind: 'act',
      run: () => chooseTheme(dark ? 'light' : 'dark'),
    },
    ...(authenticated
      ? [
          {
            name: 'Log out',
            kind: 'act',
            run: () =>
              void server.endSession().then(() => {
                queries.clear();
                location.reload();
              }),
          },
        ]
      : []),
  ];
}
