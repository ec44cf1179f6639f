import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ApiError } from '../api/client.ts';
import { clockText } from '../parts/words.ts';

/** A banner while the server does not answer, with the time of the data that the page shows. */
export function Connection() {
  const queries = useQueryClient();
  const [lost, setLost] = useState(false);
  const [last, setLast] = useState<Date>();
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated') return;
        if (event.action.type === 'success') {
          setLost(false);
          setLast(new Date());
        }
        if (event.action.type === 'error')
          setLost(event.action.error instanceof ApiError && event.action.error.status === 0);
      }),
    [queries],
  );
  return (
    <div aria-live="polite">
      {lost && (
        <p className="bg-t-amber px-6 py-2 text-sm text-s-amber">
          The server does not answer{last ? `. The page shows data of ${clockText(last)}` : ''}. It will reconnect by
          itself.
        </p>
      )}
    </div>
  );
}
