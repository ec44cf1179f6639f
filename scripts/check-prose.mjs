// Checks the English of pages, comments, docstrings, messages and test titles: words and phrases that CONTRIBUTING.md
// rules out, and sentences that are too long.
//   node scripts/check-prose.mjs [FOLDER or FILE ...] [--pages]     --pages prints words and sentence lengths of each page
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { filesOf } from './check-files.mjs';
import { MARKERS } from './prose/markers.mjs';
import { paragraphsOf, sentencesOf, textsOf } from './prose/texts.mjs';

/** Maximum number of words in a sentence. Rows of tables have no limit. */
const LONGEST = { page: 45, comment: 45, string: 45, title: 40, row: Number.POSITIVE_INFINITY };
/** Maximum of the median for each page of the guide. */
const MEDIAN = 18;

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { pages: { type: 'boolean', default: false } },
});

const root = path.dirname(import.meta.dirname);
const inWanted = (file) => wanted.length === 0 || wanted.some((each) => file === each || file.startsWith(`${each}/`));
const wordsIn = (text) => text.split(/\s+/).filter((word) => /\p{L}|\p{N}/u.test(word)).length;
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

const problems = [];
let guideWords = 0;

function checkText(file, { line, kind, text }) {
  for (const { pattern, write, kind: only } of MARKERS) {
    if (only && only !== kind && !(only === 'code' && kind !== 'page' && kind !== 'row')) continue;
    const found = pattern.exec(text);
    if (found) problems.push(`${file}:${line}: "${found[0].trim()}": ${write}`);
  }
  for (const sentence of sentencesOf(text)) {
    const words = wordsIn(sentence);
    if (words <= LONGEST[kind]) continue;
    problems.push(`${file}:${line}: a sentence of ${words} words: ${sentence.slice(0, 60).replaceAll('\n', ' ')}…`);
  }
}

function checkGuidePage(file, text) {
  const lengths = paragraphsOf(text).flatMap(sentencesOf).map(wordsIn);
  const words = wordsIn(text.replace(/^```.*?^```$/gms, ''));
  guideWords += words;
  if (options.pages)
    console.log(`${file}: ${words} words, sentences: median ${median(lengths)}, longest ${Math.max(0, ...lengths)}`);
  if (median(lengths) > MEDIAN)
    problems.push(`${file}: the median sentence has ${median(lengths)} words, at most ${MEDIAN}`);
}

for (const file of filesOf(root).filter(inWanted)) {
  const text = readFileSync(path.join(root, file), 'utf8');
  for (const each of textsOf(file, text)) checkText(file, each);
  if (file.startsWith('docs/guide/')) checkGuidePage(file, text);
}
if (options.pages) console.log(`docs/guide: ${guideWords} words`);

for (const problem of problems) console.error(problem);
console.log(`prose: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
