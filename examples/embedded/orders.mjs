// The shared part of the four applications in this folder, with all of their code for tasker-core.
import path from 'node:path';
import { createTasker, defineHandler, ERRORS, isTaskerError } from 'tasker-core';

const TEMPLATE = { namespace: 'embedded_demo', name: 'take_order' };

const price = defineHandler('orders.price', { inputs: { items: 'items' } }, ({ items }) => ({
  cents: items.reduce((sum, { cents }) => sum + cents, 0),
}));

const reserve = defineHandler('orders.reserve', { inputs: { items: 'items' } }, ({ items }) => ({
  reserved: items.map(({ name }) => name),
}));

const confirm = defineHandler(
  'orders.confirm',
  { inputs: { id: 'order_id' }, depends: { price: 'price', reserve: 'reserve' } },
  ({ id, price, reserve }) => ({ text: `order ${id}: ${reserve.reserved.join(', ')}, ${price.cents / 100} EUR` }),
);

/** Connects, and runs the steps of orders in this process. The caller must call `close`. */
export async function openOrders() {
  const tasker = await createTasker({
    templates: path.join(import.meta.dirname, 'templates'),
    handlers: [price, reserve, confirm],
  });
  return {
    /** Resolves once the order is stored. The order is processed even if this process dies. */
    async take(order) {
      const request = { ...TEMPLATE, context: order, idempotencyKey: `${order?.order_id}` };
      const { taskUuid } = await tasker.createTask(request, { onDuplicate: 'return' });
      return { id: taskUuid };
    },

    async status(id) {
      const { status } = await tasker.getTask(id);
      const steps = await tasker.getSteps(id);
      const confirmed = steps.find(({ name }) => name === 'confirm')?.results?.result;
      return {
        id,
        status,
        steps: Object.fromEntries(steps.map(({ name, currentState }) => [name, currentState])),
        confirmation: confirmed?.text ?? null,
      };
    },

    /** Waits until the order is done or blocked. */
    async outcome(id, { signal } = {}) {
      await tasker.waitForTask(id, { signal });
      return this.status(id);
    },

    /** Stops taking steps, and waits for the running steps. */
    close: () => tasker.stop(),
  };
}

/** Returns the status and body of the response to a failed request. */
export function answerTo(error) {
  const status = isTaskerError(error) ? ERRORS[error.code] : (error.status ?? error.statusCode ?? 500);
  if (status < 500) return { status, body: { error: error.message } };
  console.error(error);
  return { status, body: { error: 'internal error' } };
}
