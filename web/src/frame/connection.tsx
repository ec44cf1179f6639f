import { useConnection } from '../api/connection.tsx';
import { clockText } from '../parts/words.ts';

/** A banner that is shown while the server does not respond, with the time of the data on the page. */
export function ConnectionBanner() {
  const { problem, last } = useConnection();
  return (
    <div aria-live="polite">
      {problem !== undefined && (
        <p className="border-b border-line bg-t-amber px-4 py-2 text-sm break-words text-s-amber sm:px-6">
          {problem}
          {last && `. The page shows data of ${clockText(last)}`}. It tries again by itself.
        </p>
      )}
    </div>
  );
}
