import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, pathOf, server } from '../api/client.ts';
import { useLive } from '../api/live.tsx';
import { useLacking, useMe } from '../api/me.tsx';
import type { Method } from '../api/routes.ts';
import { useSummary } from '../api/summary.ts';
import { activeOf, useTemplates } from '../api/templates.ts';
import type { FailureGroup, TaskPage } from '../api/types.ts';
import { lookOf } from '../parts/state.tsx';
import { counted } from '../parts/words.ts';
import { causesOf, queryOfGroup } from '../screens/errors/causes.ts';
import { useLinks } from './namespace.ts';
import { usePageActs } from './page-acts.ts';
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
const MOST = 20;
const MOST_TASKS = 4;
/** The most templates, schedules, causes and workers. */
const MOST_OF_KIND = 5;
/** Delay after the last keystroke before tasks are searched. */
const TYPING_MS = 200;
const STALE_MS = 10_000;

/** Returns the places and actions that match a string. */
export function useEntries(text: string): { entries: Entry[]; searching: boolean } {
  const link = useLinks();
  const { tasks, searching } = useTasks(text);
  const acts = useActs();
  const templates = useTemplateEntries(text);
  const schedules = useScheduleEntries();
  const causes = useCauseEntries(text !== '');
  const workers = useWorkerEntries();
  const pageActs = usePageEntries();
  const has = ({ name }: { name: string }) => words(text).every((word) => name.toLowerCase().includes(word));
  const screens = SCREENS.map(({ name, path }): Entry => ({ name, kind: 'screen', to: link(path) }));
  if (text === '') return { entries: [...pageActs, ...screens, ...acts], searching: false };
  const found = [
    ...tasks,
    ...pageActs.filter(has),
    ...screens.filter(has),
    ...[templates, schedules, causes, workers].flatMap((each) => each.filter(has).slice(0, MOST_OF_KIND)),
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

/** A template, by its active version. Creating a task of it is offered only if the typed text asks for it. */
function useTemplateEntries(text: string): Entry[] {
  const link = useLinks();
  const { data } = useTemplates(STALE_MS);
  const lacking = useLacking()(api.tasks.create);
  const create = 'Create a task of ';
  const wantsTask = words(text).some((word) => word.length > 2 && create.toLowerCase().includes(word));
  return activeOf(data?.templates ?? []).flatMap(({ namespace, name, version }) => {
    const address = pathOf`templates/${namespace}/${name}/${version}`;
    const label = `${namespace}/${name}`;
    const task = { name: `${create}${label}`, kind: `act, version ${version}`, to: link(`${address}/new`), lacking };
    return [{ name: label, kind: `template, version ${version}`, to: link(address) }, ...(wantsTask ? [task] : [])];
  });
}

function useScheduleEntries(): Entry[] {
  const link = useLinks();
  const lacking = useLacking();
  const { data } = useQuery({
    queryKey: ['palette', 'schedules'],
    queryFn: ({ signal }) => api.schedules.list({ limit: 1000 }, { signal }),
    enabled: lacking(api.schedules.list) === undefined,
    staleTime: STALE_MS,
  });
  return (data?.schedules ?? []).map(({ name, template }) => ({
    name,
    kind: `schedule of ${template}`,
    to: link(pathOf`schedules/${name}`),
  }));
}

/** The causes of failed steps and of steps that wait for a retry. */
function useCauseEntries(enabled: boolean): Entry[] {
  const link = useLinks();
  const { data } = useSummary({ interval: false, enabled });
  const entries = (groups: readonly FailureGroup[], verb: string) =>
    causesOf(groups).map(
      ({ title, errorType, count, groups }): Entry => ({
        name: errorType === null || title === errorType ? title : `${title} (${errorType})`,
        kind: `${counted(count, 'step')} ${verb}`,
        // The list has the tasks of one template.
        to: groups.length === 1 ? link('tasks', queryOfGroup(groups[0]!)) : link('errors'),
      }),
    );
  if (!data) return [];
  return [...entries(data.failed.groups, 'failed'), ...entries(data.waiting_for_retry.groups, 'retrying')];
}

/** The actions of the open screen. */
function usePageEntries(): Entry[] {
  const lacking = useLacking();
  return usePageActs().map(({ name, method, run }) => ({
    name,
    kind: 'act on this screen',
    run,
    lacking: lacking(method),
  }));
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
