import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ask } from '../api/client.ts';
import { Button, Problem } from '../parts/controls.tsx';

/** Begins a session with an API key. The key is not kept in the browser; the session is a cookie that scripts cannot read. */
export function Login() {
  const queries = useQueryClient();
  const [key, setKey] = useState('');
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => ask('v1/session', { method: 'POST', credential: key.trim() }),
    onSuccess: () => queries.invalidateQueries(),
  });
  return (
    <main className="mx-auto mt-[16vh] w-[360px] max-w-[calc(100vw-32px)]">
      <img src="icon.svg" alt="" width="32" height="32" />
      <h1 className="mt-4 text-xl font-semibold tracking-tight">Log in to tasker</h1>
      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          mutate();
        }}
      >
        <label className="block text-sm text-soft">
          API key
          <input
            type="password"
            autoComplete="current-password"
            className="mt-1 mb-4 block h-9 w-full rounded-md border border-edge bg-surface px-2.5 text-base text-ink"
            value={key}
            onChange={({ target }) => setKey(target.value)}
          />
        </label>
        {error && <Problem error={error} />}
        <Button
          type="submit"
          look="primary"
          className="w-full justify-center"
          disabled={key.trim() === '' || isPending}
        >
          Log in
        </Button>
      </form>
      <p className="mt-4 text-sm text-faint">An operator of the server creates keys on its command line.</p>
    </main>
  );
}
