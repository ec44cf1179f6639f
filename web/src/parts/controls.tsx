import { type ComponentProps, type ReactNode, useEffect } from 'react';

const LOOK = {
  plain: 'border border-edge bg-surface text-ink hover:bg-hover',
  primary: 'border border-transparent bg-accent text-on-accent hover:opacity-90',
  danger: 'border border-s-red bg-surface text-s-red hover:bg-t-red',
  quiet: 'border border-transparent text-soft hover:bg-hover hover:text-ink',
} as const;

interface ButtonProps extends ComponentProps<'button'> {
  look?: keyof typeof LOOK;
  /** The permission that the user lacks for the action. If set, the button does nothing, and shows the reason. */
  lacking?: string | undefined;
}

export function Button({ look = 'plain', className = '', lacking, ...rest }: ButtonProps) {
  // `disabled` is not set, so that keyboard users can reach the button and read the reason.
  const refused = lacking !== undefined && {
    'aria-disabled': true,
    type: 'button' as const,
    title: `needs the permission ${lacking}`,
    onClick: undefined,
  };
  return (
    <button
      type="button"
      className={`inline-flex h-8 items-center gap-1.5 rounded-md px-3 text-sm font-medium whitespace-nowrap disabled:cursor-not-allowed disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50 ${LOOK[look]} ${className}`}
      {...rest}
      {...refused}
    />
  );
}

/** Names the page in the tabs and the history of the browser. */
export function useTitle(name: string): void {
  useEffect(() => {
    document.title = `${name} · tasker`;
  }, [name]);
}

/** The heading of a screen, with the answer to its question below, and its actions on the right. */
export function Heading({ title, answer, children }: { title: string; answer?: ReactNode; children?: ReactNode }) {
  useTitle(title);
  return (
    <header className="mb-5 flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
      <div>
        <h1 className="text-xl leading-7 font-semibold tracking-tight">{title}</h1>
        {answer !== undefined && <p className="mt-0.5 text-soft">{answer}</p>}
      </div>
      {children && <div className="flex items-center gap-2">{children}</div>}
    </header>
  );
}

/** A part of a screen with a border. */
export function Panel({ title, more, children }: { title?: string; more?: ReactNode; children: ReactNode }) {
  return (
    <section className="mb-6" aria-label={title}>
      {title && (
        <div className="mb-2 flex items-baseline justify-between gap-4">
          <h2 className="text-sm font-semibold">{title}</h2>
          {more && <div className="text-sm text-soft">{more}</div>}
        </div>
      )}
      <div className="overflow-x-auto rounded-lg border border-line bg-surface">{children}</div>
    </section>
  );
}

/** Shown instead of an empty table: the reason, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="px-6 py-10 text-center">
      <p className="font-medium">{title}</p>
      {children && <div className="mx-auto mt-1 max-w-lg text-sm text-soft">{children}</div>}
    </div>
  );
}

export function Code({ children }: { children: ReactNode }) {
  return <code className="rounded bg-hover px-1.5 py-0.5 font-mono text-xs break-words text-ink">{children}</code>;
}

/** An error of the server, with its original message. */
export function Problem({ error }: { error: Error }) {
  return (
    <div role="alert" className="mb-4 rounded-md border border-s-red bg-t-red px-3 py-2 text-sm text-s-red">
      {error.message}
    </div>
  );
}
