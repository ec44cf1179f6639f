import { Button } from './controls.tsx';
import { useCopy } from './copy.ts';

/** Objects and arrays with more entries are folded at first. */
const OPEN_AT_MOST = 20;

/** A JSON value as a tree that can be folded. The text is never read as markup. */
export function JsonTree({ value, name }: { value: unknown; name: string }) {
  const text = JSON.stringify(value, null, 2) ?? 'null';
  const { copied, copy } = useCopy(text);
  return (
    <div className="relative">
      <div className="absolute top-1 right-1 flex items-center gap-2 text-xs text-faint">
        {sizeText(text.length)}
        <Button look="quiet" className="h-6 px-2 text-xs" aria-label={`Copy ${name}`} onClick={copy}>
          {copied ? 'copied' : 'Copy'}
        </Button>
      </div>
      <div className="overflow-x-auto px-3 py-2 font-mono text-xs leading-5">
        <Node value={value} depth={0} />
      </div>
    </div>
  );
}

function sizeText(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KB`;
}

function Node({ name, value, depth }: { name?: string; value: unknown; depth: number }) {
  const label = name !== undefined && <span className="text-soft">{name}: </span>;
  if (value === null || typeof value !== 'object') {
    return (
      <div className="break-words whitespace-pre-wrap">
        {label}
        <Leaf value={value} />
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
  return (
    <details open={depth < 3 && entries.length <= OPEN_AT_MOST}>
      <summary className="list-none">
        {label}
        {open}
        <span className="text-faint"> {entries.length} </span>
      </summary>
      <div className="border-l border-line pl-4">
        {entries.map(([key, inner]) => (
          <Node key={key} name={key} value={inner} depth={depth + 1} />
        ))}
      </div>
      {close}
    </details>
  );
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === 'string') return <span className="text-s-green">{JSON.stringify(value)}</span>;
  if (typeof value === 'number') return <span className="text-s-blue">{value}</span>;
  return <span className="text-s-violet">{String(value)}</span>;
}
