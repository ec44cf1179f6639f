import { NavLink } from 'react-router';
import { useLinks } from './namespace.ts';
import { GROUPS, type Screen } from './screens.ts';

/** The main navigation. Below 1100 px it shows only icons; below 640 px it is a drawer. */
export function Rail({ open, onClose }: { open: boolean; onClose(): void }) {
  return (
    <>
      {open && (
        <button
          type="button"
          aria-label="Close the navigation"
          className="fixed inset-0 z-20 bg-black/40 sm:hidden"
          onClick={onClose}
        />
      )}
      <nav
        aria-label="Main"
        className={`${open ? 'fixed inset-y-0 left-0 z-30 block w-[200px] shadow-xl' : 'hidden'} overflow-y-auto border-r border-line bg-surface px-2 py-3 sm:sticky sm:top-0 sm:z-0 sm:block sm:h-screen sm:w-[52px] sm:shrink-0 sm:shadow-none rail:w-[200px]`}
      >
        <div className="mb-4 flex h-8 items-center gap-2 px-2">
          <img src="icon.svg" alt="" width="20" height="20" />
          <span className={`${open ? '' : 'hidden'} font-semibold tracking-tight rail:inline`}>tasker</span>
        </div>
        {GROUPS.map(({ name, screens }) => (
          <div key={name} className="mb-4">
            <p className={`${open ? '' : 'hidden'} px-2 pb-1 text-xs text-faint rail:block`}>{name}</p>
            {screens.map((screen) => (
              <RailLink key={screen.name} screen={screen} open={open} onClose={onClose} />
            ))}
          </div>
        ))}
      </nav>
    </>
  );
}

function RailLink({ screen, open, onClose }: { screen: Screen; open: boolean; onClose(): void }) {
  const link = useLinks();
  return (
    <NavLink
      to={link(screen.path)}
      end={screen.path === ''}
      title={screen.name}
      onClick={onClose}
      className={({ isActive }) =>
        `flex h-8 items-center gap-2.5 rounded-md px-2 text-sm ${isActive ? 'bg-select font-medium text-ink' : 'text-soft hover:bg-hover hover:text-ink'}`
      }
    >
      <svg width="16" height="16" viewBox="0 0 16 16" className="shrink-0" aria-hidden="true">
        <path
          d={screen.icon}
          fill="none"
          stroke="currentColor"
          strokeWidth="1.3"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      <span className={`${open ? '' : 'sm:sr-only'} rail:not-sr-only`}>{screen.name}</span>
    </NavLink>
  );
}
