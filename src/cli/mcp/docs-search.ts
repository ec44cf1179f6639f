import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../../config/package-version.ts';

/** A page of the documentation. */
export interface DocsPage {
  /** The path in the package, such as `docs/guide/undo.md`. */
  path: string;
  text: string;
}

/** The part of a page below a heading, up to the next heading. */
interface Section {
  path: string;
  /** The title of the page and the headings above the part. The last one is its own. */
  headings: string[];
  /** The anchor of the heading. Empty for the title of the page. */
  anchor: string;
  text: string;
}

/** A section that a search found. */
export interface FoundSection {
  path: string;
  /** The title of the page and the headings, separated by ` > `. */
  heading: string;
  anchor: string;
  /** The paragraph, list or row that has most of the words. */
  excerpt: string;
}

const LONGEST_EXCERPT = 600;
const SMALL_WORDS = new Set(
  'a an and any are as at be by can do does for from how i if in is it its me my not of on or so that the this to was we what when where which why will with you your'.split(
    ' ',
  ),
);
/** Weights of a word by the place in which it is found. */
const WEIGHTS = { heading: 8, above: 1.5, text: 1 };
/** A word that only begins with the word of the query counts less. */
const PREFIX = { weight: 0.5, shortest: 4 };
/** Words that are repeated often count little more than once, as in BM25. */
const SATURATION = 1.5;

/** Returns all pages of the documentation in this package. */
export function packagedDocs(): DocsPage[] {
  const root = fileURLToPath(packageFile('docs/'));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'));
  return files
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => ({ path: `docs/${file}`, text: readFileSync(root + file, 'utf8') }));
}

/** Returns the sections of a page. */
export function sectionsOf({ path, text }: DocsPage): Section[] {
  const sections: Section[] = [];
  const above: string[] = [];
  let isCode = false;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('```')) isCode = !isCode;
    const [, level, title] = (!isCode && /^(#{1,6}) (.+)$/.exec(line)) || [];
    if (level && title) {
      const name = title.replaceAll('`', '');
      above.splice(level.length - 1, above.length, name);
      sections.push({ path, headings: [...above], anchor: level === '#' ? '' : anchorOf(name), text: '' });
    } else if (sections.length > 0) sections.at(-1)!.text += `${line}\n`;
  }
  return sections;
}

/** Returns the anchor that GitHub creates for a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
const significant = (text: string): string[] => wordsOf(text).filter((word) => !SMALL_WORDS.has(word));

/** Returns the common part of the forms of a word: retry, retries, retried and retrying. */
function stemOf(word: string): string {
  if (word.length < 5) return word;
  return word.replace(/ie[sd]$/, 'y').replace(/(?:ing|ed|es|s|e)$/, '');
}

/** The stems of a text, with the number of times that each occurs. */
function stemsIn(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of wordsOf(text)) counts.set(stemOf(word), (counts.get(stemOf(word)) ?? 0) + 1);
  return counts;
}

/** Returns how often a text has a word, counting words that begin with it less. */
function countOf(stem: string, counts: ReadonlyMap<string, number>): number {
  let count = counts.get(stem) ?? 0;
  if (stem.length < PREFIX.shortest) return count;
  for (const [other, times] of counts) {
    if (other !== stem && other.startsWith(stem)) count += times * PREFIX.weight;
  }
  return count;
}

const saturated = (count: number) => count / (count + SATURATION);

/** Returns the weight of a section by its page: the guide first, and the reference and the reasons last. */
function weightOf(path: string): number {
  if (path.startsWith('docs/guide/')) return 1.5;
  return /^docs\/(?:reference|decisions)\//.test(path) ? 0.3 : 1;
}

/** A section with the words in each of its places. */
interface Indexed {
  section: Section;
  heading: ReadonlyMap<string, number>;
  above: ReadonlyMap<string, number>;
  text: ReadonlyMap<string, number>;
  /** The number of words in the heading: a word in a short heading counts more. */
  length: number;
}

/** Returns a function that finds the sections with words of a query, the best first. It indexes the pages once. */
export function docsSearch(pages: readonly DocsPage[]): (query: string, limit: number) => FoundSection[] {
  const indexed = pages.flatMap(sectionsOf).map(indexOf);
  return (query, limit) => {
    const stems = [...new Set(significant(query).map(stemOf))];
    const scored = indexed.map((each) => ({ section: each.section, found: occurrences(each, stems) }));
    const rarity = stems.map((_, index) => {
      const having = scored.filter(({ found }) => found[index]! > 0).length;
      return Math.log(1 + scored.length / (1 + having));
    });
    return scored
      .map(({ section, found }) => ({ section, score: weightOf(section.path) * scoreOf(found, rarity) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
      .map(({ section }) => foundSection(section, stems));
  };
}

function indexOf(section: Section): Indexed {
  const own = section.headings.at(-1)!;
  return {
    section,
    heading: stemsIn(own),
    above: stemsIn(section.headings.slice(0, -1).join(' ')),
    text: stemsIn(section.text),
    length: Math.max(1, significant(own).length),
  };
}

/** Returns the weighted number of occurrences of each stem in a section. */
function occurrences({ heading, above, text, length }: Indexed, stems: readonly string[]): number[] {
  return stems.map(
    (stem) =>
      WEIGHTS.heading * saturated(countOf(stem, heading)) * (0.5 + 0.5 / length) +
      WEIGHTS.above * saturated(countOf(stem, above)) +
      WEIGHTS.text * saturated(countOf(stem, text)),
  );
}

/** A section with all words of the query comes before one with few of them. */
function scoreOf(found: readonly number[], rarity: readonly number[]): number {
  const share = found.filter((each) => each > 0).length / found.length;
  return share ** 2 * found.reduce((sum, each, index) => sum + each * rarity[index]!, 0);
}

function foundSection({ path, headings, anchor, text }: Section, stems: readonly string[]): FoundSection {
  return { path, heading: headings.join(' > '), anchor, excerpt: excerptOf(text, stems) };
}

/** Returns the block of a section that has most of the stems. Blocks are separated by empty lines outside of code. */
function excerptOf(text: string, stems: readonly string[]): string {
  const blocks = text
    .split(/^(```[\s\S]*?^```)$|\n{2,}/m)
    .flatMap((block) => (block?.startsWith('|') ? block.split('\n') : (block ?? [])))
    .map((block) => block.trim())
    .filter((block) => block !== '' && !/^[-| ]+$/.test(block));
  let [best, most] = [blocks[0] ?? '', 0];
  for (const block of blocks) {
    const counts = stemsIn(block);
    const has = stems.filter((stem) => countOf(stem, counts) > 0).length;
    if (has > most) [best, most] = [block, has];
  }
  return best.length > LONGEST_EXCERPT ? `${best.slice(0, LONGEST_EXCERPT - 1)}…` : best;
}
