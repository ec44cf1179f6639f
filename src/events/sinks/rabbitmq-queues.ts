import type { Channel, Connection } from 'rabbitmq-client';

/** The queue of a namespace's events. */
export const queueOf = (namespace: string): string => `${namespace}_domain_events`;

/** Where RabbitMQ puts what a reader of the queue refuses for good. */
export const deadQueueOf = (queue: string): string => `${queue}_dlq`;

/**
 * Makes the queue and its dead letter queue, both durable, unless they are there: then they stay as they are, so that
 * whoever runs the broker may have made them otherwise (quorum queues, limits).
 */
export async function ensureQueue(connection: Connection, queue: string): Promise<void> {
  const dead = deadQueueOf(queue);
  await unlessThere(connection, dead, (channel) => channel.queueDeclare({ queue: dead, durable: true }));
  await unlessThere(connection, queue, (channel) =>
    channel.queueDeclare({
      queue,
      durable: true,
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead },
    }),
  );
}

/** Asking for a queue that is not there closes the channel. */
async function unlessThere(
  connection: Connection,
  queue: string,
  declare: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  try {
    await withChannel(connection, (channel) => channel.queueDeclare({ queue, passive: true }));
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'NOT_FOUND') throw error;
    await withChannel(connection, declare);
  }
}

/** Does something on a channel of its own: what goes wrong there closes no other. Rejects with what closed it. */
export async function withChannel<T>(connection: Connection, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true });
  let why: unknown;
  channel.on('error', (error: unknown) => {
    why = error;
  });
  try {
    return await work(channel);
  } catch (error) {
    throw why ?? error;
  } finally {
    await channel.close();
  }
}
