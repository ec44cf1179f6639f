import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs';

/** Writes a file whose content is on disk before the call returns, so that a rename never exposes a torn one. */
export function writeSynced(file: string, content: string, { mode }: { mode: number }): void {
  writeFileSync(file, content, { mode, flush: true });
}

/** Syncs a file, or the names in a folder, so that it survives a crash of the machine. */
export function syncFile(file: string): void {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const descriptor = openSync(file, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
