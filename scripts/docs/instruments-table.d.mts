import type { Definition } from '../../src/metrics/instrument.ts';

export function instrumentsTable(
  instruments: Record<string, Definition>,
  absent: Record<string, readonly string[]>,
): string;
export function withInstruments(page: string, table: string): string;
