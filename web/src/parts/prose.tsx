import { Code } from './controls.tsx';
import { Terminal } from './terminal.tsx';
import { Time } from './text.tsx';
import { dateText, exactText, timeOf } from './words.ts';

interface ProseProps {
  text: string;
  /** Names that are never changed, such as those of steps. */
  names?: readonly string[];
}

/** A part of a sentence that only says which command does something. */
const COMMAND = /(?:; |\. )(?:[\w ,]+: |No step starts until )`(?:npx )?tasker [^`]*`(?: and `[^`]*`)*[^;]*/g;
const TIME = /( at | |)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/g;

/**
 * Shows a sentence from the server with a capital letter at its start, unless it starts with a name. Commands are folded
 * below it, and other code between backticks is shown as code.
 */
export function Prose({ text, names = [] }: ProseProps) {
  const commands = [...text.matchAll(COMMAND)].flatMap(([part]) =>
    [...part.matchAll(/`([^`]*)`/g)].map(([, code]) => code!),
  );
  const rest = text.replaceAll(COMMAND, '');
  const isName = names.some((name) => rest.startsWith(name) && !/^[\w-]/.test(rest.slice(name.length)));
  const parts = (isName ? rest : `${rest.slice(0, 1).toUpperCase()}${rest.slice(1)}`).split('`');
  return (
    <>
      {/* Every second part is between two backticks. */}
      {parts.map((part, at) => (at % 2 === 1 ? <Code key={at}>{part}</Code> : <Times key={at} text={part} />))}
      {commands.length > 0 && (
        <Terminal>
          {commands.map((command) => (
            <span key={command}>
              <Code>{command.startsWith('npx ') ? command : `npx ${command}`}</Code>
            </span>
          ))}
        </Terminal>
      )}
    </>
  );
}

/** A text in which times are in words: `by Ada at 2026-…` is `by Ada 5 min ago`. */
function Times({ text }: { text: string }) {
  // The parts are a text, the word before a time, the time, a text, …
  return text.split(TIME).map((part, at, all) => {
    if (at % 3 === 0) return part;
    if (at % 3 === 1) {
      const follows = part === ' at ' && !all[at - 1]!.endsWith(',');
      return follows ? ' ' : part;
    }
    const follows = all[at - 1] === ' at ' && !all[at - 2]!.endsWith(',');
    return follows ? (
      <Time key={at} at={part} />
    ) : (
      <time key={at} dateTime={part} title={exactText(timeOf(part))}>
        {dateText(timeOf(part))}
      </time>
    );
  });
}
