import type { Logger } from '../../logging/logger.ts';
import type { BindAddress } from '../../server/bind-address.ts';
import type { Listening } from '../../server/listen.ts';
import type { ServedWorker } from '../../server/served-worker.ts';

/** What answers, where, and who is told. */
export interface PortOptions {
  worker: ServedWorker;
  address: BindAddress;
  logger: Logger;
}

/** The REST of a worker on a port of its own. @throws TaskerError `address_unavailable` */
export async function openPort({ worker, address, logger }: PortOptions): Promise<Listening> {
  // Only now: a worker without a port does not pay for the server.
  const [{ listen }, { workerApp }, { isLoopback }] = await Promise.all([
    import('../../server/listen.ts'),
    import('../../server/worker-app.ts'),
    import('../../server/bind-address.ts'),
  ]);
  const listening = await listen(workerApp({ worker, logger, exposed: !isLoopback(address.host) }), address);
  logger.info({ url: listening.url }, 'health and metrics are answered');
  return listening;
}
