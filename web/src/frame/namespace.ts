import { useSearchParams } from 'react-router';

/** Returns the namespace that all screens are limited to. It is part of the address. Undefined means all. */
export function useNamespace(): string | undefined {
  return useSearchParams()[0].get('namespace') ?? undefined;
}

/** Returns a function that adds the namespace to the address of another screen. */
export function useLinks(): (path: string, query?: Record<string, string>) => string {
  const namespace = useNamespace();
  return (path, query = {}) => {
    const search = new URLSearchParams({ ...(namespace && { namespace }), ...query }).toString();
    return `/${path}${search === '' ? '' : `?${search}`}`;
  };
}
