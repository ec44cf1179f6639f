import { useQuery } from '@tanstack/react-query';
import { api } from './client.ts';
import type { TemplateRow } from './types.ts';

/** Reads all versions of all templates. `staleTime`: milliseconds for which an earlier response is used. */
export function useTemplates(staleTime: number) {
  return useQuery({
    queryKey: ['templates', undefined],
    queryFn: ({ signal }) => api.templates.list({}, { signal }),
    staleTime,
  });
}

/** The active version of a template, with the names of all versions. */
export interface ActiveTemplate extends TemplateRow {
  versions: string[];
}

/** Returns the active version of each template. */
export function activeOf(rows: readonly TemplateRow[]): ActiveTemplate[] {
  const found = new Map<string, TemplateRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.namespace, row.name]);
    const versions = found.get(key);
    if (versions) versions.push(row);
    else found.set(key, [row]);
  }
  return [...found.values()].map((versions) => {
    const sorted = versions.sort(newestFirst);
    const active = sorted.find((one) => one.active) ?? sorted[0]!;
    return { ...active, versions: sorted.map(({ version }) => version) };
  });
}

/** Orders versions by their numbers. */
export function newestFirst(a: { version: string }, b: { version: string }): number {
  return b.version.localeCompare(a.version, 'en', { numeric: true });
}
