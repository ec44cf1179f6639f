import fc from 'fast-check';
import { randomSeed } from './effort.ts';

// For all tests with random cases, so that `SEED=N npm run test:one -- FILE` repeats them.
fc.configureGlobal({ seed: randomSeed() });
