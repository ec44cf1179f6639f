export { DURATION_FORMS, durationMs } from '../../model/duration.ts';
export { timeInWords } from '../../model/time-in-words.ts';
