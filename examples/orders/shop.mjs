import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pino from 'pino';
import { createTasker } from 'tasker-core';
import { Ledger } from './services/ledger.mjs';
import { startPaymentService } from './services/payment-service.mjs';
import { startWarehouseService } from './services/warehouse-service.mjs';

const here = import.meta.dirname;

/**
 * Everything that runs in the process of the demo: the two services with their ledgers, and the tasker with its worker.
 * A kill -9 ends all of it immediately. Data that must survive is in the database and in the ledgers.
 *
 * @param {{folder: string, fresh: boolean, catalogue: Map<string, any>}} options `folder` is the folder of the embedded
 * PostgreSQL; the demo's own files are in `orders/` below it
 */
export async function openShop({ folder, fresh, catalogue }) {
  const own = path.join(folder, 'orders');
  const batch = openBatch(own, fresh);
  const ledgers = {
    payments: new Ledger(path.join(own, batch, 'payments')),
    warehouse: new Ledger(path.join(own, batch, 'warehouse')),
  };
  const payments = await startPaymentService(ledgers.payments);
  const warehouse = await startWarehouseService(ledgers.warehouse, catalogue);
  const closeServices = () => Promise.all([payments.close(), warehouse.close()]);
  // The handlers read the addresses of the services from these variables.
  process.env.PAYMENTS_URL = payments.url;
  process.env.WAREHOUSE_URL = warehouse.url;

  const logFile = path.join(own, 'tasker.log');
  try {
    const tasker = await createTasker({
      templates: path.join(here, 'templates'),
      handlers: path.join(here, 'handlers'),
      embeddedFolder: folder,
      concurrency: 16,
      // The time before the next run takes over the steps of a killed run.
      leaseMs: 3000,
      logger: pino({ name: 'orders' }, pino.destination({ dest: logFile, sync: true })),
    });
    const close = async () => {
      await tasker.stop({ drainTimeoutMs: 3000 });
      await closeServices();
    };
    return { tasker, ledgers, batch, logFile, close };
  } catch (error) {
    await closeServices();
    throw error;
  }
}

/**
 * Returns the name of the batch of orders for this run: the last batch, or a new batch with `fresh`. The name is part of each
 * order's idempotency key, so that the same orders can be placed again.
 */
function openBatch(own, fresh) {
  makeFolder(own);
  const file = path.join(own, 'batch');
  const last = fresh ? undefined : readIfThere(file);
  if (last) return last;
  const batch = new Date().toISOString().replace(/[:.]/g, '-');
  writeFileSync(`${file}.part`, batch);
  renameSync(`${file}.part`, file);
  return batch;
}

function makeFolder(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new Error(`cannot write to ${folder} (${cause.code}); choose another folder with --folder`, { cause });
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
