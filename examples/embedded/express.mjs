// Orders over HTTP, with Express. Usage: PORT=3000 node express.mjs
//   curl -X POST localhost:3000/orders -H 'content-type: application/json' \
//     -d '{"order_id": "O-1", "items": [{"name": "mug", "cents": 1250}]}'
import express from 'express';
import { answerTo, openOrders } from './orders.mjs';

const orders = await openOrders();

const app = express();
app.use(express.json());
app.post('/orders', async (request, response) => {
  response.status(202).json(await orders.take(request.body));
});
app.get('/orders/:id', async (request, response) => {
  response.json(await orders.status(request.params.id));
});
// Express recognizes an error handler by its four parameters.
app.use((error, _request, response, _next) => {
  const { status, body } = answerTo(error);
  response.status(status).json(body);
});

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  console.log(`listening on http://localhost:${server.address().port}`);
});

process.once('SIGTERM', async () => {
  await new Promise((closed) => server.close(closed)); // requests in progress still need the orders
  await orders.close();
  console.log('closed');
});
