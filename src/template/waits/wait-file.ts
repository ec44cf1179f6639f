import { z } from 'zod';
import {
  DURATION_FORMS,
  DURATION_TEXT,
  durationInWords,
  durationMs,
  durationText,
  LONGEST_DURATION_MS,
} from '../../model/duration.ts';
import type { ON_CHILD_FAILURE, ON_PARENT_CANCEL } from '../task-template.ts';

/** The forms of steps that wait, as template files have them. */

/** A duration of at least `least` milliseconds. The JSON Schema is written by hand, because zod would derive less. */
const duration = (least: 0 | 1) =>
  z
    .union([z.number(), z.string()], { error: ({ input }) => durationProblem(input) })
    .refine((value) => (durationMs(value) ?? -1) >= least, { error: ({ input }) => durationProblem(input) })
    .meta({
      anyOf: [
        { type: 'number', minimum: least / 1000, maximum: LONGEST_DURATION_MS / 1000 },
        { type: 'string', pattern: DURATION_TEXT.source },
      ],
    });

/** Returns the problem of a duration that is rejected. */
function durationProblem(given: unknown): string {
  const shown = typeof given === 'string' || typeof given === 'number' ? `\`${given}\`` : 'this';
  if (durationMs(given) === 0) return `${shown} is zero; leave it out to wait without a limit`;
  const inWords = typeof given === 'string' ? durationInWords(given) : undefined;
  if (inWords !== undefined) return `write ${shown} as \`${durationText(inWords)}\``;
  const text = String(given);
  if (/^-|^P.*-/.test(text)) return `${shown} is negative; write ${DURATION_FORMS}`;
  if (/^P[^T]*[YM]|\d *(?:y|mo|year|month)s?$/i.test(text))
    return `${shown} has years or months, whose length varies; write days, such as 30d`;
  if (Number(given) * 1000 > LONGEST_DURATION_MS || (typeof given === 'string' && DURATION_TEXT.test(given)))
    return `${shown} is longer than 366000d, the longest duration`;
  return `${shown} is not a duration; write ${DURATION_FORMS}`;
}

const length = duration(0);
/** A duration that is not zero. */
export const limit = duration(1);
const object = () => z.record(z.string(), z.unknown());
const name = z.string().min(1).max(128);
const names = z.array(name).min(1).max(1000);
const votes = z.int().min(1).max(1000);

export const untilFile = z.strictObject({
  context: z.string().min(1).max(500).nullish().meta({ description: 'The key in the context of the task.' }),
  step: name.nullish().meta({ description: 'A step before this one, whose result contains the time.' }),
  field: z.string().min(1).max(500).nullish().meta({ description: 'The field in the result of that step.' }),
});

export const timerFile = z
  .strictObject({
    for: length.nullish().meta({ description: 'How long the step waits from the moment at which it is ready.' }),
    until: untilFile.nullish().meta({
      description: 'Where the time is: in the context of the task, or in the result of a step.',
    }),
  })
  .meta({ description: 'The time that a timer step waits for: for or until.' });

export const signalFile = z
  .strictObject({
    name: name.nullish().meta({ description: 'The name of the signal. Required without names.' }),
    names: z.array(name).min(1).max(100).nullish().meta({
      description: 'The names of several signals, of which the first completes the step with { name, payload }.',
    }),
    schema: object().nullish().meta({ description: 'JSON Schema of the payload.' }),
    schemas: z.record(name, object()).nullish().meta({ description: 'JSON Schemas of the payloads, by names.' }),
    timeout: limit.nullish().meta({ description: 'The limit of the wait. Default: none.' }),
    on_timeout: z.enum(['fail', 'complete']).nullish().meta({
      default: 'fail',
      description: 'fail: the step fails; complete: it completes with the default.',
    }),
    default: z.unknown().optional().meta({ description: 'The result if the step completes at its limit.' }),
    count: z.int().min(1).max(1000).nullish().meta({ default: 1, description: 'Number of signals to wait for.' }),
    on_unknown: z.enum(['refuse', 'keep']).nullish().meta({
      default: 'refuse',
      description: 'What happens to a signal that no step can use.',
    }),
  })
  .meta({ description: 'The signal that a signal step waits for.' });

export const approvalFile = z
  .strictObject({
    title: z.string().min(1).max(500).meta({ description: 'The question to decide.' }),
    form: object().nullish().meta({ description: 'JSON Schema of the form of a vote.' }),
    assignees: names.nullish().meta({ description: 'Users or roles that may vote. Default: everyone.' }),
    quorum: votes.nullish().meta({ default: 1, description: 'Number of approvals that decide.' }),
    reject_quorum: votes.nullish().meta({ default: 1, description: 'Number of rejections that decide.' }),
    on_reject: z
      .enum(['fail', 'complete'])
      .nullish()
      .meta({ default: 'complete', description: 'The effect of a rejection.' }),
    remind_after: limit.nullish().meta({ description: 'When to remind the assignees.' }),
    escalate_after: limit.nullish().meta({ description: 'When to ask others.' }),
    escalate_to: z.array(name).max(1000).nullish().meta({ default: [], description: 'The others.' }),
    timeout: limit.nullish().meta({ description: 'The limit of the wait. Default: none.' }),
  })
  .meta({ description: 'The decision of people that an approval step waits for.' });

export const callAgainFile = z
  .strictObject({
    timeout: limit.nullish().meta({ default: '24h', description: 'The limit, from the first call.' }),
    max_calls: z.int().min(1).max(1_000_000).nullish().meta({ description: 'The limit of calls. Default: none.' }),
    repeatable: z.boolean().nullish().meta({
      default: false,
      description: 'Whether a step that is not retryable may be called again.',
    }),
  })
  .meta({ description: 'The limits of a step whose handler asks to be called again.' });

/** The fields of a step of the type `task`, besides those of every step. */
export interface ChildFields {
  template?: string | null | undefined;
  context?: Record<string, string | number | boolean> | null | undefined;
  on_failure?: (typeof ON_CHILD_FAILURE)[number] | null | undefined;
  on_cancel?: (typeof ON_PARENT_CANCEL)[number] | null | undefined;
  timeout?: number | string | null | undefined;
}

/** The fields of a step in a file that concern waits. */
export interface WaitFields extends ChildFields {
  timer?: z.infer<typeof timerFile> | null | undefined;
  signal?: z.infer<typeof signalFile> | null | undefined;
  approval?: z.infer<typeof approvalFile> | null | undefined;
  wait?: z.infer<typeof callAgainFile> | null | undefined;
}
