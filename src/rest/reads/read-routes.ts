import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import { eventRoutes } from './event-routes.ts';
import { histogramRoutes } from './histogram-routes.ts';
import { operatorReadRoutes } from './operator-routes.ts';
import { overviewRoutes } from './overview-routes.ts';
import { recordRoutes } from './record-routes.ts';
import { stepSearchRoutes } from './step-search-routes.ts';
import { taskDetailRoutes } from './task-detail-routes.ts';
import { taskGraphRoutes } from './task-graph-routes.ts';
import { templateReadRoutes } from './template-routes.ts';
import { workerRoutes } from './worker-routes.ts';

/** The routes that only read, except the routes of the earlier system. */
export function readRoutes(tasker: Tasker): OpenAPIHono[] {
  return [
    taskDetailRoutes(tasker),
    taskGraphRoutes(tasker),
    stepSearchRoutes(tasker),
    overviewRoutes(tasker),
    histogramRoutes(tasker),
    workerRoutes(tasker),
    recordRoutes(tasker),
    eventRoutes(tasker),
    templateReadRoutes(tasker),
    operatorReadRoutes(tasker),
  ];
}
