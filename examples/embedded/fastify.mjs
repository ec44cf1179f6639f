// Orders over HTTP, with Fastify. Usage: PORT=3000 node fastify.mjs
//   curl -X POST localhost:3000/orders -H 'content-type: application/json' \
//     -d '{"order_id": "O-1", "items": [{"name": "mug", "cents": 1250}]}'
import Fastify from 'fastify';
import { answerTo, openOrders } from './orders.mjs';

const app = Fastify();

/** Serves the orders as a plugin, which closes after the last request in progress. */
async function ordersPlugin(instance) {
  const orders = await openOrders();
  instance.addHook('onClose', () => orders.close());

  instance.post('/orders', async (request, reply) => {
    reply.code(202);
    return orders.take(request.body);
  });
  instance.get('/orders/:id', (request) => orders.status(request.params.id));
}

app.register(ordersPlugin);
app.setErrorHandler((error, _request, reply) => {
  const { status, body } = answerTo(error);
  return reply.code(status).send(body);
});

await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log(`listening on http://localhost:${app.server.address().port}`);

process.once('SIGTERM', async () => {
  await app.close();
  console.log('closed');
});
