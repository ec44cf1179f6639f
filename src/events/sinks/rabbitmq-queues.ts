import type { Channel, Connection } from 'rabbitmq-client';

/** The name of the queue for the events of a namespace. */
export const queueOf = (namespace: string): string => `${namespace}_domain_events`;

/** The name of the queue for messages that a reader rejects permanently. */
export const deadQueueOf = (queue: string): string => `${queue}_dlq`;

/**
 * Creates the queue and its dead letter queue, both durable, unless they exist. Existing queues are not changed, so that
 * the operator of the broker can create them with other options, such as quorum queues or limits.
 */
export async function ensureQueue(connection: Connection, queue: string): Promise<void> {
  const dead = deadQueueOf(queue);
  await declareIfMissing(connection, dead, (channel) => channel.queueDeclare({ queue: dead, durable: true }));
  await declareIfMissing(connection, queue, (channel) =>
    channel.queueDeclare({
      queue,
      durable: true,
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead },
    }),
  );
}

/** Declares a queue if it does not exist. Uses two channels, because checking for a missing queue closes the channel. */
async function declareIfMissing(
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

/** Calls a function with a separate channel, so that errors close no other channel. Rejects with the channel's error. */
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
