import { OpenAPIHono } from '@hono/zod-openapi';
import { taskGraph, taskMermaid } from '../../app/json/graph.ts';
import { taskTimeline } from '../../app/json/timeline.ts';
import type { Tasker } from '../../app/tasker.ts';
import { MERMAID } from '../../contract/schemas/mermaid.ts';
import { tasks } from '../../contract/tasks.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { wantsMermaid } from './mermaid-answer.ts';

const GRAPH = describeRoute(tasks.graph);
const TIMELINE = describeRoute(tasks.timeline);

/** Routes for the graph and the timeline of a task. */
export function taskGraphRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(GRAPH, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const [task, steps, found] = await Promise.all([
        tasker.getTask(uuid),
        tasker.getSteps(uuid),
        tasker.engine.snapshotOf(uuid),
      ]);
      c.header('vary', 'Accept', { append: true });
      if (wantsMermaid(c, c.req.valid('query').format)) {
        return c.body(taskMermaid({ task, steps }, found.template), 200, {
          'content-type': `${MERMAID}; charset=utf-8`,
        }) as never;
      }
      return c.json(taskGraph({ task, steps }, found), 200);
    })
    .openapi(TIMELINE, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const [task, steps, history, waits, { graph }] = await Promise.all([
        tasker.getTask(uuid),
        tasker.getSteps(uuid),
        tasker.getHistory(uuid),
        tasker.getWaits(uuid),
        tasker.engine.snapshotOf(uuid),
      ]);
      return c.json(taskTimeline({ task, steps, history, waits, graph }, new Date().toISOString()), 200);
    });
}
