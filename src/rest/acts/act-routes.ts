import { OpenAPIHono } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import type { Logger } from '../../logging/logger.ts';
import { activateRoutes } from './activate-routes.ts';
import { approvalRoutes } from './approval-routes.ts';
import { bulkActRoutes } from './bulk-act-routes.ts';
import { completionRoutes } from './completion-routes.ts';
import { createManyRoutes } from './create-many-routes.ts';
import { dlqActRoutes } from './dlq-act-routes.ts';
import { operateRoutes } from './operate-routes.ts';
import { pauseRoutes } from './pause-routes.ts';
import { scheduleRoutes } from './schedule-routes.ts';
import { signalRoutes } from './signal-routes.ts';
import { stepActRoutes } from './step-act-routes.ts';
import { taskActRoutes } from './task-act-routes.ts';
import { templateWriteRoutes } from './template-write-routes.ts';

/** Options of {@link actRoutes}. */
export interface ActRouteOptions {
  logger: Logger;
  environment: string;
}

/** Every route that changes something, except the routes of the original API. */
export function actRoutes(tasker: Tasker, { logger, environment }: ActRouteOptions): OpenAPIHono {
  const routes = new OpenAPIHono();
  for (const group of [
    createManyRoutes(tasker, logger),
    taskActRoutes(tasker),
    stepActRoutes(tasker),
    bulkActRoutes(tasker, logger),
    signalRoutes(tasker),
    approvalRoutes(tasker),
    completionRoutes(tasker),
    scheduleRoutes(tasker),
    dlqActRoutes(tasker),
    templateWriteRoutes(tasker, { environment }),
    activateRoutes(tasker),
    pauseRoutes(tasker),
    operateRoutes(tasker),
  ]) {
    routes.route('/', group);
  }
  return routes;
}
