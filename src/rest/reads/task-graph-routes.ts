import { OpenAPIHono } from '@hono/zod-openapi';
import { taskGraph, taskMermaid } from '../../app/json/graph.ts';
import { taskTimeline } from '../../app/json/timeline.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { FORMAT, MERMAID, wantsMermaid } from './mermaid-answer.ts';
import { UuidParam } from './task-detail-schemas.ts';
import { GraphSchema, TimelineSchema } from './task-graph-schemas.ts';

const GRAPH = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/graph',
  permission: 'tasks:read',
  summary: 'Returns the steps of a task and their dependencies, with states and times',
  description:
    'As a Mermaid flowchart with `?format=mermaid` or `Accept: text/vnd.mermaid`. In the flowchart, a batch is one node.',
  request: { params: UuidParam, query: FORMAT },
  answer: GraphSchema,
  otherForms: { [MERMAID]: 'A Mermaid flowchart, colored by state.' },
  errors: [404],
  etag: true,
});
const TIMELINE = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/timeline',
  permission: 'tasks:read',
  summary: 'Returns the timeline spans of each step in a task, for a Gantt chart',
  description:
    'Spans are `queued` (ready, not yet claimed), `running`, `retry_wait`, `waiting` and `blocked` (failed permanently). The queue keeps no times: the start of `queued` is the latest of the creation of the task, the end of the last parent, the time at which a retry was due, and the last action on the step.',
  request: { params: UuidParam },
  answer: TimelineSchema,
  errors: [404],
});

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
