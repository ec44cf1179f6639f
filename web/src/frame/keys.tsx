import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import { useLive } from '../api/live.tsx';
import { Button } from '../parts/controls.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { useLinks } from './namespace.ts';
import { SCREENS } from './screens.ts';

const SEQUENCE_MS = 1500;
/** The keys that open the palette, as the keyboard of the user names them. */
export const PALETTE_KEYS = /Mac|iP(hone|ad)/.test(navigator.userAgent) ? '⌘ K' : 'Ctrl K';

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
      else if (event.key === 'j' || event.key === 'k') goToRow(event.key === 'j' ? 1 : -1);
      else if (event.key === 'x')
        document.activeElement?.closest('tr')?.querySelector<HTMLElement>('[type=checkbox]')?.click();
      else if (event.key === '/') {
        event.preventDefault();
        document.querySelector<HTMLElement>('[data-filter]')?.focus();
      }
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [navigate, link, toggle, onPalette, onHelp]);
}

/** Moves the focus to the next or previous row of the tables and lists of the screen. */
function goToRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll('main :is(tbody tr, ul li, ol li)')].flatMap((row) => {
    const target = row.querySelector<HTMLElement>('a, button');
    return target ? [{ row, target }] : [];
  });
  const at = rows.findIndex(({ row }) => row.contains(document.activeElement));
  rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))]?.target.focus();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, dialog') !== null;
}

const EVERYWHERE = [
  [PALETTE_KEYS, 'Search or go to'],
  ['/', 'Filter the list'],
  ['j k', 'Next row, row before'],
  ['Enter', 'Open the row'],
  ['x', 'Select the row'],
  ['← ↑ → ↓', 'Move along a graph'],
  ['l', 'Pause or continue live data'],
  ['Esc', 'Close the open dialog'],
  ['?', 'Show the keys'],
] as const;

export function KeysHelp({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keys" onClose={onClose} className="w-[560px]">
      <div className="p-5">
        <div className="flex items-start justify-between">
          <h2 className="text-base font-semibold">Keys</h2>
          <Button look="quiet" className="-mt-1 px-2" aria-label="Close" onClick={onClose}>
            ×
          </Button>
        </div>
        <div className="mt-3 grid gap-x-10 gap-y-5 sm:grid-cols-2">
          <KeyList name="Everywhere" keys={EVERYWHERE} />
          <KeyList name="Go to" keys={SCREENS.map(({ key, name }) => [`g ${key}`, name] as const)} />
        </div>
      </div>
    </Dialog>
  );
}

function KeyList({ name, keys }: { name: string; keys: readonly (readonly [key: string, what: string])[] }) {
  return (
    <section aria-label={name}>
      <h3 className="mb-1.5 text-xs text-faint">{name}</h3>
      <dl className="grid gap-1 text-sm">
        {keys.map(([key, what]) => (
          <div key={key} className="flex items-center justify-between gap-4">
            <dt className="order-2 flex shrink-0 gap-1">
              {key.split(' ').map((one) => (
                <kbd
                  key={one}
                  className="min-w-5 rounded border border-edge bg-surface px-1 text-center font-sans text-xs text-soft"
                >
                  {one}
                </kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
