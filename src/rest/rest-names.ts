import { z } from 'zod';
import type { Verb } from '../contract/verb.ts';
import { isTaskerError, TaskerError } from '../errors.ts';
import { camelCase } from '../model/key-case.ts';
import { fieldsOf } from './refuse-invalid.ts';

/** The text in quotes of a message, which may be a value of the caller. */
const QUOTED = /("(?:[^"\\]|\\.)*")/;

/**
 * Returns an error that names the fields of a request as the caller sent them. The library calls `created_after`
 * `createdAfter`. Names that are in the address are values of the caller.
 */
export function withRestNames<E>(error: E, verb: Pick<Verb, 'takes'> | undefined, address: string): E | TaskerError {
  if (!verb || !isTaskerError(error)) return error;
  const names = fieldsIn(verb.takes).filter((name) => name.includes('_') && !address.includes(camelCase(name)));
  if (names.length === 0) return error;
  const library = new Map(names.map((name) => [camelCase(name), name]));
  const pattern = new RegExp(`\\b(?:${[...library.keys()].join('|')})\\b`, 'g');
  const parts = error.message.split(QUOTED);
  const message = parts
    .map((part, i) => (i % 2 === 1 ? part : part.replace(pattern, (name) => library.get(name)!)))
    .join('');
  if (message === error.message) return error;
  return new TaskerError(error.code, message, { details: error.details, cause: error });
}

function fieldsIn(takes: Verb['takes'] = {}): string[] {
  const query = takes.query instanceof z.ZodObject ? Object.keys(takes.query.shape) : [];
  return [...query, ...fieldsOf(takes)];
}
