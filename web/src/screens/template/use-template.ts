import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { ROUTES } from '../../../../src/client/contract.ts';
import { encodedPath } from '../../../../src/client/path.ts';
import { api, pathOf, sendForText } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import { usePolling } from '../../api/polling.ts';
import { newestFirst, useTemplates } from '../../api/templates.ts';
import type { TemplateName, TemplateRow } from '../../api/types.ts';

const STATS_MS = 15_000;

export const addressOfTemplate = ({ namespace, name, version }: TemplateName) =>
  pathOf`templates/${namespace}/${name}/${version}`;

/** Returns the query of the list of tasks for the blocked tasks of a template. */
export const blockedOf = ({ namespace, name, version }: TemplateName) => ({
  namespace,
  name,
  template_version: version,
  state: 'blocked_by_failures',
});

/** The query for a template in the form of a template file. */
export const sourceQuery = ({ namespace, name, version }: TemplateName) =>
  queryOptions({
    queryKey: ['template', namespace, name, version],
    queryFn: ({ signal }) => api.templates.source(namespace, name, version, { signal }),
  });

export function useSource(template: TemplateName, enabled = true) {
  return useQuery({ ...sourceQuery(template), enabled });
}

export function useYaml({ namespace, name, version }: TemplateName) {
  const path = encodedPath(ROUTES.templates.source.path, [namespace, name, version]);
  return useQuery({
    queryKey: ['template', namespace, name, version, 'yaml'],
    queryFn: ({ signal }) => sendForText({ method: 'GET', path, query: { format: 'yaml' }, signal }),
  });
}

export function useGraph({ namespace, name, version }: TemplateName) {
  return useQuery({
    queryKey: ['template', namespace, name, version, 'graph'],
    queryFn: ({ signal }) => api.templates.graph(namespace, name, version, { signal }),
  });
}

/** The versions of a template, newest first. */
export function useVersions({ namespace, name }: TemplateName): TemplateRow[] {
  const { data } = useTemplates(5_000);
  return (data?.templates ?? []).filter((row) => row.namespace === namespace && row.name === name).sort(newestFirst);
}

/** The statistics of the steps of a template over the last hours. */
export function useStats({ namespace, name, version }: TemplateName, hours: number) {
  const lacking = useLacking()(api.installation.stats);
  return useQuery({
    queryKey: ['template-stats', namespace, name, version, hours],
    queryFn: ({ signal }) =>
      api.installation.stats(
        { namespace, name, template_version: version, since: `${hours}h`, sort: 'time', limit: 1000 },
        { signal },
      ),
    enabled: lacking === undefined,
    refetchInterval: usePolling(STATS_MS),
    placeholderData: keepPreviousData,
  });
}
