import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import { useLive } from '../api/live.tsx';
import { Button } from '../parts/controls.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { useLinks } from './namespace.ts';
import { SCREENS } from './screens.ts';

const SEQUENCE_MS = 1500;

/** Listens for the keys that work on every screen. */
export function useKeys({ onPalette, onHelp }: { onPalette(): void; onHelp(): void }): void {
  const navigate = useNavigate();
  const link = useLinks();
  const { toggle } = useLive();
  const gPressed = useRef(0);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === 'k' && (event.metaKey || event.ctrlKey)) {
        event.preventDefault();
        onPalette();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      const target = performance.now() - gPressed.current < SEQUENCE_MS && SCREENS.find(({ key }) => key === event.key);
      gPressed.current = event.key === 'g' ? performance.now() : 0;
      if (target) void navigate(link(target.path));
      else if (event.key === '?') onHelp();
      else if (event.key === 'l') toggle();
      else if (event.key === '/') {
        event.preventDefault();
        document.querySelector<HTMLElement>('[data-filter]')?.focus();
      }
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [navigate, link, toggle, onPalette, onHelp]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, dialog') !== null;
}

export function KeysHelp({ onClose }: { onClose(): void }) {
  const keys = [
    ['⌘ K or Ctrl K', 'Search or go to'],
    ['/', 'Filter the list'],
    ['l', 'Pause or continue live data'],
    ['?', 'Show the keys'],
    ['Esc', 'Close what is open'],
    ...SCREENS.map(({ key, name }) => [`g ${key}`, name]),
  ] as const;
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className="p-5">
        <h2 className="mb-3 text-base font-semibold">Keys</h2>
        <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 text-sm sm:grid-cols-[auto_1fr_auto_1fr]">
          {keys.map(([key, what]) => (
            <div key={key} className="contents">
              <dt className="font-mono text-xs leading-5 text-faint">{key}</dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <div className="mt-4 text-right">
          <Button onClick={onClose}>Close</Button>
        </div>
      </div>
    </Dialog>
  );
}
