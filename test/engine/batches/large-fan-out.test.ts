import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import { freshDatabase } from '../../support/database.ts';
import { invariants, itOnce } from '../../support/setup.ts';
import { leastOf } from '../../support/suite/measure.ts';

const WORKERS = 10_000;

interface Measured {
  status: string;
  /** Number of results that the joining step read. */
  items: number;
  /** From the end of the analyzer to the start of the first worker. */
  createdMs: number;
  seconds: number;
  /**
   * Heap and external memory after garbage collection: before, after the last worker, and the maximum while joining.
   */
  memoryMb: { before: number; joined: number; most: number; after: number };
  statements: { creation: number; workers: number; reading: number };
}

/** Runs the batch in a separate process, so that nothing else changes its memory. */
async function measure(options: { workers: number; resultBytes?: number; ask?: number }): Promise<Measured> {
  const { url, sql, drop } = await freshDatabase();
  try {
    const program = path.join(import.meta.dirname, '../../support/large-batch.mjs');
    const argument = JSON.stringify({ databaseUrl: url, ...options });
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, argument]);
    await invariants(sql);
    const measured = JSON.parse(stdout) as Measured;
    console.log(JSON.stringify({ ...options, ...measured }));
    expect(measured.status).toBe('complete');
    return measured;
  } finally {
    await drop();
  }
}

describe(`a batch of ${WORKERS} workers`, () => {
  // This takes 0.4 s on an idle machine.
  itOnce('a large batch is created within seconds, and is joined with flat memory and few statements', async () => {
    let measured: Measured | undefined;
    const createdMs = async () => {
      measured = await measure({ workers: WORKERS });
      return measured.createdMs;
    };
    expect(await leastOf(6_000, createdMs, 3)).toBeLessThan(6_000);
    const { items, memoryMb, statements } = measured!;
    expect(items).toBe(WORKERS);
    expect(memoryMb.joined - memoryMb.before).toBeLessThan(100);
    expect(memoryMb.most - memoryMb.before).toBeLessThan(100);
    // A few statements and the other traffic of the worker, but not one statement per batch worker.
    expect(statements.creation).toBeLessThan(100);
    expect(statements.workers).toBeLessThan(WORKERS / 3);
    expect(statements.reading).toBeLessThan(100);
  });

  itOnce('if the results exceed the limit, the joining step loads only the results that it reads', async () => {
    const { items, memoryMb, statements } = await measure({ workers: 4_000, resultBytes: 40_000, ask: 1_500 });
    expect(items).toBe(1_500);
    // 8 MB are loaded with the step, plus buffers of the driver. All results would be 160 MB.
    expect(memoryMb.joined - memoryMb.before).toBeLessThan(100);
    expect(memoryMb.most - memoryMb.before).toBeLessThan(100);
    expect(statements.reading).toBeGreaterThan(100);
    expect(statements.reading).toBeLessThan(1_600);
  });

  itOnce('a batch of 500 workers is created with only a few more statements than a batch of ten', async () => {
    const few = await measure({ workers: 10 });
    const more = await measure({ workers: 500 });
    expect(more.items).toBe(500);
    expect(more.statements.creation).toBeLessThan(few.statements.creation + 100);
  });
});
