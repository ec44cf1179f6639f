import { Button } from './controls.tsx';
import { useCopy } from './copy.ts';

const LINE = /^(\s*(?:- )?)([\w$.-]+|"[^"]*")(:)(.*)$/;

/** Text in YAML, with its keys in another color, and a button to copy it. */
export function YamlText({ text, name }: { text: string; name: string }) {
  const { copied, copy } = useCopy(text);
  return (
    <div className="relative">
      <Button
        look="quiet"
        className="absolute top-1 right-1 h-6 bg-surface px-2 text-xs"
        aria-label={`${copied ? 'Copied' : 'Copy'} ${name}`}
        onClick={copy}
      >
        {copied ? 'Copied' : 'Copy'}
      </Button>
      <pre className="px-4 py-3 font-mono text-xs leading-5 break-words whitespace-pre-wrap">
        {text.split('\n').map((line, at) => (
          // The text never changes while it is shown.
          <YamlLine key={at} line={line} />
        ))}
      </pre>
    </div>
  );
}

export function YamlLine({ line }: { line: string }) {
  const [, indent, key, colon, rest] = LINE.exec(line) ?? [];
  if (key === undefined) return <div>{line === '' ? ' ' : line}</div>;
  return (
    <div>
      {indent}
      <span className="text-s-blue">{key}</span>
      <span className="text-faint">{colon}</span>
      {rest}
    </div>
  );
}
