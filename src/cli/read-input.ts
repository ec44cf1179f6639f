import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf, TaskerError } from '../errors.ts';

/** JSON as an option gives it: the text itself, `@file`, or `-` for standard input. Throws `bad_request`. */
export async function readInput(given: string, option: string): Promise<unknown> {
  const { json, where } = await sourceOf(given, option);
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new TaskerError('bad_request', `${option}: ${where} is not JSON: ${messageOf(cause)}`, { cause });
  }
}

/** As {@link readInput}; the JSON must be an object. */
export async function readObject(given: string, option: string): Promise<Record<string, unknown>> {
  const value = await readInput(given, option);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TaskerError('bad_request', `${option} must be a JSON object, as '{"name":"Ada"}'`);
}

async function sourceOf(given: string, option: string): Promise<{ json: string; where: string }> {
  if (given === '-') return { json: await text(process.stdin), where: 'standard input' };
  if (!given.startsWith('@')) return { json: given, where: 'the value' };
  const file = given.slice(1);
  try {
    return { json: await readFile(file, 'utf8'), where: file };
  } catch (cause) {
    throw new TaskerError('bad_request', `${option}: ${file} can't be read: ${messageOf(cause)}`, { cause });
  }
}
