import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, addressOf, beginSession, ROOT, send } from '../api/client.ts';
import { useRoutes } from '../api/routes.ts';
import { Button, Code, Problem, useTitle } from '../parts/controls.tsx';
import { madeKey } from './made-key.ts';

interface Providers {
  oidc: { name: string; login_url: string } | null;
}

const NOT_FOUND = 404;

/** The identity provider for logging in, if the server has one. */
function useProvider(): Providers['oidc'] | undefined {
  // Requested only if the route exists, because browsers report every 404 as an error.
  const served = useRoutes()?.has('GET /v1/auth/providers') ?? false;
  const { data } = useQuery({
    queryKey: ['providers'],
    queryFn: async ({ signal }) => {
      try {
        return (await send<Providers>('GET', '/v1/auth/providers', undefined, { signal })).oidc;
      } catch (error) {
        if (error instanceof ApiError && error.status === NOT_FOUND) return null;
        throw error;
      }
    },
    enabled: served,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data;
}

const FAILURE = /(?:^|; )tasker_login_failure=([^;]*)/;

/** Returns the reason why the login with the identity provider failed, and removes it. */
function takenFailure(): Error | undefined {
  const text = FAILURE.exec(document.cookie)?.[1];
  if (!text) return undefined;
  // biome-ignore lint/suspicious/noDocumentCookie: browsers without the Cookie Store API run the page, too
  document.cookie = 'tasker_login_failure=; Max-Age=0; Path=/';
  return new Error(decodeURIComponent(text));
}

/** Returns the address that the user wanted to open, below the root of the page. */
function shownPath(): string {
  const { href } = location;
  return href.startsWith(ROOT.href) ? `/${href.slice(ROOT.href.length)}` : '/';
}

/**
 * Starts a session with an API key. The key is not kept in the browser; the session is a cookie that scripts cannot
 * read.
 */
export function Login({ ended }: { ended: string | undefined }) {
  const queries = useQueryClient();
  useTitle('Log in');
  const made = madeKey();
  const [key, setKey] = useState(made?.key ?? '');
  const provider = useProvider();
  const [failure] = useState(takenFailure);
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => beginSession(key.trim()),
    onSuccess: () => queries.invalidateQueries(),
  });
  return (
    <main className="mx-auto mt-[16vh] w-[360px] max-w-[calc(100vw-32px)] pb-8">
      <img src="icon.svg" alt="" width="32" height="32" />
      <h1 className="mt-4 text-xl font-semibold tracking-tight">Log in to tasker</h1>
      {made && (
        <p className="mt-3 rounded-md border border-s-green bg-t-green p-3 text-sm">
          The server now needs a key. This is {made.name}, which you just created. Copy it before you continue:
          <code className="mt-2 block font-mono text-xs break-all select-all">{made.key}</code>
        </p>
      )}
      {ended !== undefined && !error && (
        <p role="alert" className="mt-4 rounded-md border border-s-amber bg-t-amber px-3 py-2 text-sm">
          {ended}
        </p>
      )}
      {failure && (
        <div className="mt-4">
          <Problem error={failure} />
        </div>
      )}
      {provider && (
        <>
          <Button
            look="primary"
            className="mt-5 h-9 w-full justify-center"
            onClick={() => location.assign(addressOf(provider.login_url, { return_to: shownPath() }))}
          >
            Log in with {provider.name}
          </Button>
          <p className="mt-5 flex items-center gap-3 text-xs text-faint before:h-px before:grow before:bg-line after:h-px after:grow after:bg-line">
            or with a key
          </p>
        </>
      )}
      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim() !== '' && !isPending) mutate();
        }}
      >
        <label className="block text-sm text-soft">
          API key
          <input
            type="password"
            autoComplete="current-password"
            placeholder="tsk_…"
            className="mt-1 mb-4 block h-9 w-full rounded-md border border-edge bg-surface px-2.5 text-base text-ink placeholder:text-faint"
            value={key}
            onChange={({ target }) => setKey(target.value)}
          />
        </label>
        {error && <Problem error={error} />}
        <Button
          type="submit"
          look={provider ? 'plain' : 'primary'}
          className="h-9 w-full justify-center"
          disabled={key.trim() === '' || isPending}
        >
          Log in
        </Button>
      </form>
      <p className="mt-4 text-sm text-faint">
        An operator of the server creates keys: <Code>npx tasker auth key create NAME --role viewer</Code>
      </p>
    </main>
  );
}
