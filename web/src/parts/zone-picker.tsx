import { chooseZone, useZone, zones } from './zone.ts';

const OWN = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Chooses the time zone of all screens. */
export function ZonePicker({ className = '' }: { className?: string }) {
  const { choice } = useZone();
  return (
    <select
      aria-label="Time zone"
      title="The time zone of all times"
      className={`h-8 max-w-44 rounded-md [field-sizing:content] border border-transparent bg-surface px-1.5 text-sm text-soft hover:bg-hover ${className}`}
      value={choice}
      onChange={({ target }) => chooseZone(target.value)}
    >
      {zones().map((zone) => (
        <option key={zone} value={zone}>
          {zone === 'browser' ? `Local (${OWN})` : zone}
        </option>
      ))}
    </select>
  );
}
