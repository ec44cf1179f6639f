import { Code } from './controls.tsx';

/** A sentence of the server, which begins with a capital letter here. Its commands, between backticks, are code. */
export function Prose({ text }: { text: string }) {
  const parts = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`.split('`');
  // Every second part is between two backticks.
  return parts.map((part, at) => (at % 2 === 1 ? <Code key={at}>{part}</Code> : part));
}
