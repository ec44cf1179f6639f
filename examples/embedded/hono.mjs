// Orders over HTTP, with Hono. Usage: PORT=3000 node hono.mjs
//   curl -X POST localhost:3000/orders -H 'content-type: application/json' \
//     -d '{"order_id": "O-1", "items": [{"name": "mug", "cents": 1250}]}'
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { answerTo, openOrders } from './orders.mjs';

const orders = await openOrders();

const app = new Hono();
app.post('/orders', async (c) => c.json(await orders.take(await bodyOf(c)), 202));
app.get('/orders/:id', async (c) => c.json(await orders.status(c.req.param('id'))));
app.onError((error, c) => {
  const { status, body } = answerTo(error);
  return c.json(body, status);
});

async function bodyOf(c) {
  try {
    return await c.req.json();
  } catch (cause) {
    throw new HTTPException(400, { message: 'the body is not valid JSON', cause });
  }
}

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`listening on http://localhost:${port}`);
});

process.once('SIGTERM', async () => {
  await new Promise((closed) => server.close(closed)); // requests in progress still need the orders
  await orders.close();
  console.log('closed');
});
