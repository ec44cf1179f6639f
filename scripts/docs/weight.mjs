// The size of an installation: the figures, the limits, and their place in docs/performance.md.
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const LIMIT = { megabytes: 37, packages: 48 };
/** Smaller differences are not corrected, because new releases of dependencies change the figures. */
const TOLERANCE = 0.05;
const BLOCK = 4096;
/** Bytes in a megabyte, as `du -m` counts them. */
const MB = 2 ** 20;
const FIGURES = /(<!-- weight -->\r?\n)[\s\S]*?(<!-- \/weight -->\r?\n)/;

/**
 * Returns the size of a project's node_modules: disk usage in whole blocks, like `du`, and the number of packages, like npm.
 */
export function weightOf(project) {
  const folder = path.join(project, 'node_modules');
  const lock = JSON.parse(readFileSync(path.join(folder, '.package-lock.json'), 'utf8'));
  const sizes = Object.keys(lock.packages).map((place) => ({
    name: place.split('node_modules/').at(-1),
    bytes: bytesOn(path.join(project, place)),
  }));
  sizes.sort((a, b) => b.bytes - a.bytes);
  return { bytes: bytesOn(folder), packages: sizes.length, heaviest: sizes.slice(0, 8) };
}

/** Returns the size of files and folders in whole blocks. Does not follow links. */
function bytesOn(place) {
  const stat = lstatSync(place);
  if (!stat.isDirectory()) return Math.ceil(stat.size / BLOCK) * BLOCK;
  return readdirSync(place).reduce((sum, name) => sum + bytesOn(path.join(place, name)), BLOCK);
}

const megabytes = (bytes) => (bytes / MB).toFixed(1);

/** Returns the page with these figures. */
export function withWeight(page, { bytes, packages, heaviest }) {
  if (!FIGURES.test(page)) throw new Error('docs/performance.md has no <!-- weight --> … <!-- /weight -->');
  const parts = heaviest.map(({ name, bytes }) => `| ${name} | ${megabytes(bytes)} MB |\n`).join('');
  return page.replace(
    FIGURES,
    (_, before, after) =>
      `${before}An install without optional packages takes ${megabytes(bytes)} MB in ${packages} packages. The heaviest are:\n\n| package | on disk |\n|---|---|\n${parts}${after}`,
  );
}

/** Returns the problems of a size, or of the figures on the page. */
export function weightProblems({ bytes, packages }, page) {
  const problems = [];
  const install = 'an install without optional packages';
  if (bytes > LIMIT.megabytes * MB) {
    problems.push(`${install} takes ${megabytes(bytes)} MB, above the limit of ${LIMIT.megabytes} MB`);
  }
  if (packages > LIMIT.packages) {
    problems.push(`${install} has ${packages} packages, above the limit of ${LIMIT.packages}`);
  }
  const figures = /takes ([\d.]+) MB in (\d+) packages/.exec(FIGURES.exec(page)?.[0] ?? '');
  const isNear = (figure, measured) => Math.abs(Number(figure) / measured - 1) <= TOLERANCE;
  if (!figures) problems.push('docs/performance.md has no figures: run npm run weight');
  else if (!isNear(figures[1], bytes / MB) || !isNear(figures[2], packages)) {
    problems.push(
      `docs/performance.md has ${figures[1]} MB and ${figures[2]} packages, but ${megabytes(bytes)} and ${packages} were measured: run npm run weight`,
    );
  }
  return problems;
}
