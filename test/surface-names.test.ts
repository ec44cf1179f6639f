import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exportsOf } from './support/exports-of.ts';

interface Names {
  names: string[];
  /** The absent names for each reason. */
  absent: Record<string, string[]>;
}

describe('the surface', () => {
  it('has each name of the existing TypeScript SDK, or docs/names.json gives the reason', () => {
    const { names, absent } = JSON.parse(readFileSync('docs/names.json', 'utf8')) as Names;
    const { values, types } = exportsOf('src/index.ts');
    const exported = new Set([...values, ...types]);
    const excused = Object.values(absent).flat();
    expect(names.filter((name) => !exported.has(name) && !excused.includes(name))).toEqual([]);
    // A name that is exported must be removed from the list of absent names.
    expect(excused.filter((name) => exported.has(name) || !names.includes(name))).toEqual([]);
    expect(new Set(excused).size).toBe(excused.length);
  });

  it('has every name that docs/names.md lists', () => {
    const page = readFileSync('docs/names.md', 'utf8');
    const { values, types } = exportsOf('src/index.ts');
    const { absent } = JSON.parse(readFileSync('docs/names.json', 'utf8')) as Names;
    const known = new Set([...values, ...types, ...Object.values(absent).flat()]);
    const rows = [...page.matchAll(/^\| `([^|]+) \| (`[^|]+) \|/gm)];
    const documented = rows.flatMap((row) => [...row[2]!.matchAll(/`(?:new )?(\w+)/g)].map((name) => name[1]!));
    expect(documented.length).toBeGreaterThan(60);
    expect(documented.filter((name) => !known.has(name))).toEqual([]);
  });

  it('is exactly what can be imported', async () => {
    expect(Object.keys(await import('../src/index.ts')).sort()).toEqual(exportsOf('src/index.ts').values);
  });
});
