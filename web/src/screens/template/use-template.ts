import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ask, askText, pathOf } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import { usePolling } from '../../api/polling.ts';
import { useRoutes } from '../../api/routes.ts';
import type { Pause } from '../../api/types.ts';
import type { Schema } from '../../parts/form/json-schema.ts';

export interface TemplateName {
  namespace: string;
  name: string;
  version: string;
}

export interface TemplateRow extends TemplateName {
  description: string | null;
  step_count: number;
  registered_at: string;
  /** Whether tasks without a version are created from it. */
  active: boolean;
  /** Whether it stays active when a higher version is registered. */
  pinned: boolean;
  paused: Pause[] | null;
}

/** A template in the form of a template file. */
export interface TemplateSource extends TemplateName {
  digest: string;
  template: {
    description?: string | null;
    input_schema?: Schema | null;
    default_context?: Record<string, unknown> | null;
    identity_strategy?: string | null;
    steps: ({ name: string; type?: string | null; description?: string | null } & Record<string, unknown>)[];
  };
}

export interface TemplateGraph {
  nodes: { name: string; type: string; callable: string }[];
  edges: { from: string; to: string }[];
}

export interface Durations {
  average_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
}

export interface StepStats {
  step: string;
  attempts: number;
  failed: number;
  error_rate: number | null;
  retried: number;
  share_of_time: number | null;
  duration: Durations;
  queueing: Durations;
}

interface Stats {
  tasks: { ended: number; failed: number; error_rate: number | null; duration: Durations };
  slow_steps: StepStats[];
}

const STATS_MS = 15_000;

export const addressOfTemplate = ({ namespace, name, version }: TemplateName) =>
  pathOf`templates/${namespace}/${name}/${version}`;

const pathOfTemplate = ({ namespace, name, version }: TemplateName) =>
  pathOf`v1/templates/${namespace}/${name}/${version}`;

export function useSource(template: TemplateName, enabled = true) {
  const path = `${pathOfTemplate(template)}/source`;
  return useQuery({
    queryKey: ['template', path],
    queryFn: ({ signal }) => ask<TemplateSource>(path, { query: { format: 'json' }, signal }),
    enabled,
  });
}

export function useYaml(template: TemplateName, enabled = true) {
  const path = `${pathOfTemplate(template)}/source`;
  return useQuery({
    queryKey: ['template', path, 'yaml'],
    queryFn: ({ signal }) => askText(path, { query: { format: 'yaml' }, signal }),
    enabled,
  });
}

export function useGraph(template: TemplateName, enabled = true) {
  const path = `${pathOfTemplate(template)}/graph`;
  return useQuery({
    queryKey: ['template', path],
    queryFn: ({ signal }) => ask<TemplateGraph>(path, { signal }),
    enabled,
  });
}

/** The versions of a template, newest first. */
export function useVersions({ namespace, name }: TemplateName): TemplateRow[] {
  const { data } = useQuery({
    queryKey: ['templates', undefined],
    queryFn: ({ signal }) => ask<{ templates: TemplateRow[] }>('v1/templates', { signal }),
    staleTime: 5_000,
  });
  return (data?.templates ?? []).filter((row) => row.namespace === namespace && row.name === name).sort(newestFirst);
}

/** Orders versions by their numbers. */
export function newestFirst(a: { version: string }, b: { version: string }): number {
  return b.version.localeCompare(a.version, 'en', { numeric: true });
}

/** The statistics of the steps of a template over the last hours. */
export function useStats({ namespace, name, version }: TemplateName, hours: number) {
  const route = 'GET /v1/stats';
  const served = useRoutes()?.has(route) ?? false;
  const lacking = useLacking()(route);
  return useQuery({
    queryKey: ['template-stats', namespace, name, version, hours],
    queryFn: ({ signal }) =>
      ask<Stats>('v1/stats', {
        query: { namespace, name, template_version: version, since: `${hours}h`, sort: 'time', limit: 1000 },
        signal,
      }),
    enabled: served && lacking === undefined,
    refetchInterval: usePolling(STATS_MS),
    placeholderData: keepPreviousData,
  });
}
