import { OpenAPIHono } from '@hono/zod-openapi';
import { taskGraph, taskMermaid } from '../../app/json/graph.ts';
import type { Tasker } from '../../app/tasker.ts';
import { MERMAID } from '../../contract/schemas/mermaid.ts';
import { tasks } from '../../contract/tasks.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { wantsMermaid } from './mermaid-answer.ts';

const GRAPH = describeRoute(tasks.graph);

/** The route for the graph of a task, which may also be a Mermaid flowchart. */
export function taskGraphRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid }).openapi(GRAPH, async (c) => {
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
  });
}
