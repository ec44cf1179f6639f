import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf, TaskerError } from '../errors.ts';
import { inFolder, thisRun } from './this-run.ts';

/** Reads the JSON of an option: the text itself, `@file`, or `-` for standard input. @throws TaskerError `bad_request` */
export async function readInput(given: string, option: string): Promise<unknown> {
  const { json, where } = await sourceOf(given, option);
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new TaskerError('bad_request', `${option}: ${where} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
}

/** Like {@link readInput}, for JSON that must be an object. */
export async function readObject(given: string, option: string): Promise<Record<string, unknown>> {
  const value = await readInput(given, option);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TaskerError('bad_request', `${option} must be a JSON object, such as '{"name":"Ada"}'`);
}

/**
 * Reads a secret from `@file` or `-`, standard input. @throws TaskerError `bad_request` if the option has the secret
 * itself
 */
export async function readSecret(given: string, option: string): Promise<string> {
  if (given !== '-' && !given.startsWith('@')) {
    throw new TaskerError(
      'bad_request',
      `${option}: other users can see arguments; pass @file, or - for standard input`,
    );
  }
  const { json, where } = await sourceOf(given, option);
  const secret = json.trim();
  if (/^[\x21-\x7e]+$/.test(secret)) return secret;
  throw new TaskerError('bad_request', `${option}: ${where} must contain one line without spaces`);
}

async function sourceOf(given: string, option: string): Promise<{ json: string; where: string }> {
  if (given === '-') return { json: await text(thisRun().stdin), where: 'standard input' };
  if (!given.startsWith('@')) return { json: given, where: 'the value' };
  const file = given.slice(1);
  try {
    return { json: await readFile(inFolder(file), 'utf8'), where: file };
  } catch (cause) {
    throw new TaskerError('bad_request', `${option}: cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
