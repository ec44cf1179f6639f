import { z } from 'zod';
import { STEP_STATES, TASK_STATES } from '../../model/states.ts';

/** The state of a task. A newer server may have more states than its clients know. */
export const taskState = z.string().meta({ enum: [...TASK_STATES] });

/** The state of a step. */
export const stepState = z.string().meta({ enum: [...STEP_STATES] });
