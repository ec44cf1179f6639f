import { useMemo, useState } from 'react';
import { Button } from './controls.tsx';
import { useCopy } from './copy.ts';

/** Objects and arrays with more entries than this are folded at first. */
const OPEN_AT_MOST = 20;
/** Number of entries of an object or array to show at first. */
const SHOWN_AT_ONCE = 200;
/** Values with longer text can be searched. */
const SEARCHED_FROM = 400;
/** The text with which the server replaces a sensitive value. */
export const REDACTED = '[redacted]';

/** A JSON value as a tree that can be folded and searched. Text is never interpreted as markup. */
export function JsonTree({ value, name }: { value: unknown; name: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? 'null', [value]);
  const [search, setSearch] = useState('');
  const wanted = search.trim().toLowerCase();
  const matches = useMemo(() => (wanted === '' ? 0 : countOf(value, wanted)), [value, wanted]);
  const redacted = useMemo(() => (text.includes(REDACTED) ? text.split(REDACTED).length - 1 : 0), [text]);
  const { copied, copy } = useCopy(text);
  return (
    <div>
      <div className="flex h-8 items-center justify-end gap-2 pr-1 pl-3 text-xs text-faint">
        {redacted > 0 && (
          <span title="These values need a permission, or no user can see them">{redacted} redacted</span>
        )}
        {wanted !== '' && (
          <span aria-live="polite" className="tabular-nums">
            {matches === 1 ? '1 match' : `${matches} matches`}
          </span>
        )}
        {text.length > SEARCHED_FROM && (
          <input
            type="search"
            aria-label={`Search ${name}`}
            placeholder="Search"
            className="h-6 w-32 rounded-md border border-edge bg-surface px-2 text-xs text-ink placeholder:text-faint"
            value={search}
            onChange={({ target }) => setSearch(target.value)}
          />
        )}
        <span className="tabular-nums">{sizeText(new TextEncoder().encode(text).length)}</span>
        <Button
          look="quiet"
          className="h-6 px-2 text-xs"
          aria-label={`${copied ? 'Copied' : 'Copy'} ${name}`}
          onClick={copy}
        >
          {copied ? 'Copied' : 'Copy'}
        </Button>
      </div>
      <div className="overflow-x-auto pr-3 pb-2 pl-6 font-mono text-xs leading-5">
        <Node key={wanted} value={value} depth={0} wanted={wanted} />
      </div>
    </div>
  );
}

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function isObject(value: unknown): value is object {
  return value !== null && typeof value === 'object';
}

/** Returns how many keys and values contain a string. */
function countOf(value: unknown, wanted: string): number {
  if (!isObject(value)) return holds(String(value), wanted) ? 1 : 0;
  const named = !Array.isArray(value);
  return Object.entries(value).reduce(
    (sum, [key, inner]) => sum + (named && holds(key, wanted) ? 1 : 0) + countOf(inner, wanted),
    0,
  );
}

function holds(text: string, wanted: string): boolean {
  return wanted !== '' && text.toLowerCase().includes(wanted);
}

interface NodeProps {
  name?: string;
  value: unknown;
  depth: number;
  /** The search term in lower case. Empty if there is no search. */
  wanted: string;
}

function Node({ name, value, depth, wanted }: NodeProps) {
  const [all, setAll] = useState(false);
  const label = name !== undefined && (
    <>
      <Found text={name} wanted={wanted} className="text-soft" />
      {': '}
    </>
  );
  if (!isObject(value)) {
    return (
      <div className="break-words whitespace-pre-wrap">
        {label}
        <Leaf value={value} wanted={wanted} />
      </div>
    );
  }
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) {
    return (
      <div>
        {label}
        {open}
        {close}
      </div>
    );
  }
  const found = wanted !== '' && countOf(value, wanted) > 0;
  const shown = all ? entries : entries.slice(0, SHOWN_AT_ONCE);
  return (
    <details open={found || (depth < 3 && entries.length <= OPEN_AT_MOST)}>
      <summary className="json-summary">
        {label}
        {open}
        <span className="text-faint"> {entries.length} </span>
      </summary>
      <div className="border-l border-line pl-4">
        {shown.map(([key, inner]) => (
          <Node key={key} name={key} value={inner} depth={depth + 1} wanted={wanted} />
        ))}
        {shown.length < entries.length && (
          <button type="button" className="text-accent hover:underline" onClick={() => setAll(true)}>
            show {entries.length - shown.length} more
          </button>
        )}
      </div>
      {close}
    </details>
  );
}

function Leaf({ value, wanted }: { value: unknown; wanted: string }) {
  if (value === REDACTED) return <span className="rounded bg-hover px-1 text-faint">redacted</span>;
  if (typeof value === 'string') {
    return <Found text={JSON.stringify(value)} wanted={wanted} className="text-s-green" />;
  }
  return (
    <Found
      text={String(value)}
      wanted={wanted}
      className={typeof value === 'number' ? 'text-s-blue' : 'text-s-violet'}
    />
  );
}

/** A text that is highlighted if it contains the search term. */
function Found({ text, wanted, className }: { text: string; wanted: string; className: string }) {
  return holds(text, wanted) ? (
    <mark className="rounded-sm bg-mark text-ink">{text}</mark>
  ) : (
    <span className={className}>{text}</span>
  );
}
