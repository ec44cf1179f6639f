import { setImmediate as afterIncoming } from 'node:timers/promises';
import type { Channel, Connection } from 'rabbitmq-client';
import { messageOf } from '../../errors.ts';
import { PermanentError } from '../../handlers/failures/handler-errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { ensureQueue, withChannel } from './rabbitmq-queues.ts';

/** One message. */
export interface RabbitmqMessage {
  queue: string;
  /** The property `message_id` of the message. */
  messageId: string;
  type: string;
  body: Buffer;
}

/**
 * Messages larger than this get their own channel, because the broker closes the channel of a message that is too
 * large.
 */
const OWN_CHANNEL_BYTES = 1_048_576;
const ACQUIRE_MS = 10_000;
const CLOSE_MS = 3_000;
const [RECONNECT_LOW_MS, RECONNECT_HIGH_MS] = [500, 5_000];

/** A connection to RabbitMQ, which opens with the first message and reconnects until it is closed. */
export class RabbitmqPublisher {
  readonly #parts: { url: string; place: string; logger: Logger };
  #opening: Promise<Connection> | undefined;
  #channel: Promise<Channel> | undefined;
  #queues = new Map<string, Promise<void>>();
  readonly #returned = new Set<string>();
  /** The reason why nothing can be sent at the moment. */
  #trouble: string | undefined;
  #blocked = false;
  #closed = false;

  /** `place`: the address of the broker, without user and password. */
  constructor(parts: { url: string; place: string; logger: Logger }) {
    this.#parts = parts;
  }

  /** Resolves when the broker has confirmed the message. */
  async send(message: RabbitmqMessage): Promise<void> {
    try {
      if (this.#closed) throw new Error('the connection is closed');
      this.#opening ??= this.#open();
      const connection = await this.#opening;
      // A message sent now would wait in memory, and each retry would add another copy of it.
      if (this.#blocked) throw new Error('the broker accepts no messages while it is short of memory or disk');
      await this.#ensured(connection, message.queue);
      if (message.body.length > OWN_CHANNEL_BYTES) return await this.#publishLarge(connection, message);
      this.#channel ??= this.#openChannel(connection);
      await this.#publish(await this.#channel, message);
    } catch (error) {
      if (error instanceof PermanentError) throw error;
      const reason = this.#trouble ?? messageOf(error);
      throw new Error(`${this.#parts.place}, queue ${message.queue}: ${reason}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#opening?.catch(() => undefined);
    if (!connection) return;
    const closing = async () => {
      await (await this.#channel?.catch(() => undefined))?.close();
      await connection.close();
    };
    if (!(await waitAtMost(CLOSE_MS, closing()))) connection.unsafeDestroy();
  }

  /** Loads the library on first use. The library reconnects on its own after the connection is lost. */
  async #open(): Promise<Connection> {
    const { Connection } = await import('rabbitmq-client');
    const connection = new Connection({
      url: this.#parts.url,
      connectionName: 'tasker-core',
      acquireTimeout: ACQUIRE_MS,
      retryLow: RECONNECT_LOW_MS,
      retryHigh: RECONNECT_HIGH_MS,
    });
    connection.on('connection', () => {
      if (this.#trouble !== undefined) this.#parts.logger.info(`${this.#parts.place} reconnected`);
      this.#trouble = undefined;
      this.#blocked = false;
    });
    connection.on('error', (error: unknown) => {
      if (this.#closed) return;
      this.#trouble = messageOf(error);
      this.#parts.logger.warn({ error: messageOf(error) }, `${this.#parts.place}: connection lost; events wait`);
    });
    connection.on('connection.blocked', (reason) => {
      this.#blocked = true;
      this.#parts.logger.warn({ reason }, `${this.#parts.place} accepts no messages at the moment; events wait`);
    });
    connection.on('connection.unblocked', () => {
      this.#blocked = false;
    });
    return connection;
  }

  /** Ensures that the queue exists, once for each connection. */
  #ensured(connection: Connection, queue: string): Promise<void> {
    let ensured = this.#queues.get(queue);
    if (!ensured) {
      ensured = ensureQueue(connection, queue);
      this.#queues.set(queue, ensured);
      ensured.catch(() => this.#queues.delete(queue));
    }
    return ensured;
  }

  async #openChannel(connection: Connection): Promise<Channel> {
    const forget = () => {
      this.#channel = undefined;
      this.#queues = new Map();
    };
    try {
      const channel = await connection.acquire({ emitErrorsFromChannel: true });
      channel.on('close', forget);
      channel.on('error', (error: unknown) => {
        this.#parts.logger.debug({ error: messageOf(error) }, `${this.#parts.place} closed a channel`);
      });
      this.#hearReturns(channel);
      await channel.confirmSelect();
      return channel;
    } catch (error) {
      forget();
      throw error;
    }
  }

  #hearReturns(channel: Channel): void {
    channel.on('basic.return', ({ messageId }) => {
      if (messageId !== undefined) this.#returned.add(messageId);
    });
  }

  async #publishLarge(connection: Connection, message: RabbitmqMessage): Promise<void> {
    try {
      await withChannel(connection, async (channel) => {
        this.#hearReturns(channel);
        await channel.confirmSelect();
        await this.#publish(channel, message);
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'PRECONDITION_FAILED') throw error;
      throw new PermanentError(`${this.#parts.place}, queue ${message.queue}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #publish(channel: Channel, { queue, messageId, type, body }: RabbitmqMessage): Promise<void> {
    const properties = { messageId, type, appId: 'tasker-core', contentType: 'application/json' };
    await channel.basicPublish({ ...properties, routingKey: queue, durable: true, mandatory: true }, body);
    // An unroutable message is returned before it is confirmed, but the library reports it one turn of the event loop
    // later.
    await afterIncoming();
    if (!this.#returned.delete(messageId)) return;
    this.#queues.delete(queue);
    throw new Error('the queue does not exist; it is created before the next message');
  }
}
