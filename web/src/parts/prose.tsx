import { Code } from './controls.tsx';

interface ProseProps {
  text: string;
  /** Names that are never changed, such as those of steps. */
  names?: readonly string[];
}

/**
 * Shows a sentence from the server with a capital letter at its start, unless it starts with a name. Commands between
 * backticks are shown as code.
 */
export function Prose({ text, names = [] }: ProseProps) {
  const isName = names.some((name) => text.startsWith(name) && !/^[\w-]/.test(text.slice(name.length)));
  const parts = (isName ? text : `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`).split('`');
  // Every second part is between two backticks.
  return parts.map((part, at) => (at % 2 === 1 ? <Code key={at}>{part}</Code> : part));
}
