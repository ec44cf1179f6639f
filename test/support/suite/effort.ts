import { inject } from 'vitest';

/** Whether `npm run prove` runs the test, at its full size. */
export const PROVE = process.env.PROVE === '1';
const THOROUGH = inject('thorough') === true;

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether random tests run at the size of `npm run test:rest`. */
    thorough?: boolean;
    /** The seed of random tests. */
    seed?: number;
  }
}

/** Returns the size of a random test: short in `npm test`, longer in `npm run test:rest`, and full in `npm run prove`. */
export function effort<Size>(size: { test: Size; rest: Size; prove: Size }): Size {
  if (PROVE) return size.prove;
  return THOROUGH ? size.rest : size.test;
}

/** Returns the seed of a random test: `SEED`, or 1 in `npm test`, or another one in each run of `npm run test:rest`. */
export function randomSeed(): number {
  return inject('seed') ?? 1;
}
