export { DURATION_FORMS, durationMs } from '../../model/duration.ts';
