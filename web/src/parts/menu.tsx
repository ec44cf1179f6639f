import { type ReactNode, useId, useRef } from 'react';
import { Button } from './controls.tsx';

interface MenuProps {
  /** The text of the button. */
  label: ReactNode;
  /** The name of the menu. */
  name: string;
  look?: 'plain' | 'quiet';
  small?: boolean;
  children: ReactNode;
}

/** A button that opens a menu. Escape and a click elsewhere close it. */
export function Menu({ label, name, look = 'plain', small = false, children }: MenuProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLElement>(null);
  const place = () => {
    const at = button.current?.getBoundingClientRect();
    const style = box.current?.style;
    if (!at || !style) return;
    const below = at.bottom < innerHeight * 0.6;
    const right = at.left > innerWidth / 2;
    style.inset = 'auto';
    if (below) style.top = `${at.bottom + 4}px`;
    else style.bottom = `${innerHeight - at.top + 4}px`;
    if (right) style.right = `${document.documentElement.clientWidth - at.right}px`;
    else style.left = `${at.left}px`;
  };
  return (
    <>
      <Button ref={button} look={look} className={small ? 'h-7 px-2' : ''} popoverTarget={id}>
        {label}
        <svg width="8" height="8" viewBox="0 0 8 8" aria-hidden="true" className="text-faint">
          <path d="M1 2.5 4 5.5 7 2.5" fill="none" stroke="currentColor" strokeWidth="1.3" />
        </svg>
      </Button>
      <section
        ref={box}
        id={id}
        popover="auto"
        aria-label={name}
        className="fixed m-0 max-h-[60vh] min-w-44 overflow-y-auto rounded-lg border border-edge bg-raised p-1 text-sm text-ink shadow-lg"
        onBeforeToggle={place}
      >
        {children}
      </section>
    </>
  );
}

/** An item of a menu. Choosing it closes the menu. */
export function Choice({
  onChoose,
  disabled,
  children,
}: {
  onChoose(): void;
  disabled?: boolean;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      disabled={disabled}
      className="flex h-8 w-full items-center justify-between gap-4 rounded-md px-2.5 text-left whitespace-nowrap hover:bg-hover disabled:opacity-50"
      onClick={({ currentTarget }) => {
        currentTarget.closest<HTMLElement>('[popover]')?.hidePopover();
        onChoose();
      }}
    >
      {children}
    </button>
  );
}
