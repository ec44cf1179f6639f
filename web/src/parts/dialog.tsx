import { type ReactNode, useLayoutEffect, useRef } from 'react';

interface DialogProps {
  title: string;
  onClose(): void;
  children: ReactNode;
  /** Default: 480 px wide, in the upper third of the page. */
  className?: string;
}

/** A modal dialog, titled with its action. Escape and a click outside close it. */
export function Dialog({ title, onClose, children, className = 'w-[480px]' }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  // Closed before it leaves the document, so that the focus returns to the previous element.
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape also closes the dialog
    <dialog
      ref={ref}
      aria-label={title}
      // Resets the text, because the dialog of a row is inside a cell with its own alignment.
      className={`mx-auto mt-[12vh] max-w-[calc(100vw-32px)] rounded-xl border border-edge bg-raised p-0 text-left text-base font-normal whitespace-normal text-ink shadow-2xl ${className}`}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === event.currentTarget && onClose()}
    >
      {children}
    </dialog>
  );
}
