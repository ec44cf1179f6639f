import { Code } from './controls.tsx';

/**
 * Shows a sentence from the server with a capital letter at its start. Commands between backticks are shown as code.
 */
export function Prose({ text }: { text: string }) {
  const parts = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`.split('`');
  // Every second part is between two backticks.
  return parts.map((part, at) => (at % 2 === 1 ? <Code key={at}>{part}</Code> : part));
}
