// Reports the outcome of a run: as text, and as a section of docs/proofs.md.
import { readFileSync, writeFileSync } from 'node:fs';

const KINDS = { typescript: 'TypeScript', sql: 'SQL' };
const BEGIN = '<!-- mutants: begin, written by scripts/mutants.mjs -->';
const END = '<!-- mutants: end -->';

export function scoreOf(judged) {
  const killed = judged.filter(({ outcome }) => outcome === 'killed');
  const equivalent = judged.filter(({ outcome }) => outcome === 'equivalent');
  const counted = judged.length - equivalent.length;
  return {
    tried: judged.length,
    killed: killed.length,
    timeouts: killed.filter(({ timeout }) => timeout).length,
    equivalent: equivalent.length,
    survived: judged.filter(({ outcome }) => outcome === 'survived').length,
    percent: counted === 0 ? 100 : Math.floor((killed.length / counted) * 1000) / 10,
  };
}

export function scores(judged) {
  const sampled = judged.filter(({ what }) => !what);
  const byKind = Object.keys(KINDS).map((kind) => [KINDS[kind], scoreOf(sampled.filter((each) => each.kind === kind))]);
  return [...byKind, ['all', scoreOf(sampled)]];
}

const short = (text) => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 110 ? `${line.slice(0, 107)}…` : line;
};

const code = (text) =>
  text.trim() === '' ? '(nothing)' : `\`${short(text).replaceAll('|', '\\|').replaceAll('`', "'")}\``;

export function describe({ file, line, operator, original, replacement }) {
  return `${file}:${line} [${operator}] ${short(original) || '(nothing)'} → ${short(replacement) || '(nothing)'}`;
}

export function markdown(judged, { seed, date }) {
  const named = judged.filter(({ what }) => what);
  const lines = [
    `A seeded sample of mutants of \`src/engine\`, \`src/store\` and \`src/worker\` (${date}, \`npm run mutants -- --count ${judged.length - named.length} --seed ${seed}\`):`,
    '',
    '| mutants | tried | killed | by a timeout | equivalent | survived | score |',
    '|---|---|---|---|---|---|---|',
    ...scores(judged).map(
      ([kind, { tried, killed, timeouts, equivalent, survived, percent }]) =>
        `| ${kind} | ${tried} | ${killed} | ${timeouts} | ${equivalent} | ${survived} | ${percent} % |`,
    ),
    '',
    `The score leaves out equivalent mutants. The named mutants are always tried: ${scoreOf(named).killed} of ${named.length} were killed.`,
  ];
  const table = (title, list, last) => {
    if (list.length === 0) return;
    lines.push('', `${title}:`, '', `| where | original | mutant | ${last.title} |`, '|---|---|---|---|');
    for (const each of list)
      lines.push(
        `| ${each.file}:${each.line} | ${code(each.original)} | ${code(each.replacement)} | ${last.of(each).replaceAll('|', '\\|')} |`,
      );
  };
  table(
    'Survivors',
    judged.filter(({ outcome }) => outcome === 'survived'),
    {
      title: 'tests run',
      of: ({ run, covering, why }) => why ?? (run < covering ? `${run} of ${covering}` : `${run}`),
    },
  );
  table(
    'Equivalent',
    judged.filter(({ outcome }) => outcome === 'equivalent'),
    { title: 'why', of: ({ why }) => why },
  );
  return lines.join('\n');
}

/** Replaces the text between the markers of a page, or appends a section. */
export function writeInto(page, text) {
  const before = readFileSync(page, 'utf8');
  const section = `${BEGIN}\n\n${text}\n\n${END}`;
  const [start, end] = [before.indexOf(BEGIN), before.indexOf(END)];
  const after =
    start < 0
      ? `${before.trimEnd()}\n\n## Mutants\n\n${section}\n`
      : before.slice(0, start) + section + before.slice(end + END.length);
  writeFileSync(page, after);
}
