import { Link } from 'react-router';

interface Figure {
  name: string;
  value: string;
  bad?: boolean;
  /** The address that explains the number. */
  to?: string;
}

/** Numbers in a row. */
export function Figures({ figures }: { figures: readonly Figure[] }) {
  return (
    <dl className="mb-6 grid grid-cols-2 overflow-hidden rounded-lg border border-line bg-surface sm:flex">
      {figures.map(({ name, value, bad, to }) => (
        <div
          key={name}
          className="grow basis-0 border-b border-line px-4 py-3 sm:border-r last:border-b-0 sm:border-b-0 sm:last:border-r-0"
        >
          <dt className="text-xs text-faint">{name}</dt>
          <dd className={`mt-0.5 text-lg leading-6 font-semibold tabular-nums ${bad ? 'text-s-red' : ''}`}>
            {to === undefined ? (
              value
            ) : (
              <Link to={to} className="hover:underline">
                {value}
              </Link>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
