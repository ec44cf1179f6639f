import { misuse, shown } from '../misuse.ts';

/** Workers that one analyzer may ask for. */
export const MAX_BATCHES = 10_000;

/** A whole number above 0, or an error that names it. */
export function positive(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw misuse(`${where}: ${name} must be a whole number above 0, not ${shown(value)}`);
}

/** A whole number from 0 on, or an error that names it. */
export function count(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw misuse(`${where}: ${name} must be a whole number from 0 on, not ${shown(value)}`);
}

/** Refuses more workers than one analyzer may ask for. */
export function refuseTooMany(where: string, workers: number): void {
  if (workers <= MAX_BATCHES) return;
  throw misuse(
    `${where}: that is ${workers} workers, and at most ${MAX_BATCHES} are possible; take larger batches, or set maxBatches`,
  );
}
