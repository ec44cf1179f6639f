import type { Tasker } from '../../app/tasker.ts';
import { packageVersion } from '../../config/package-version.ts';
import { TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { restApp } from '../../rest/rest-app.ts';
import { isLoopback, parseBindAddress } from '../../server/bind-address.ts';
import { type Listening, listen, listenOrMove } from '../../server/listen.ts';

const USUAL_ADDRESS = '127.0.0.1:8080';

/** Serves the web page and the API of a tasker on loopback. Without `bind`, uses a free port if port 8080 is in use. */
export async function serveWeb(
  tasker: Tasker,
  { bind, environment, logger }: { bind: string | undefined; environment: string; logger: Logger },
): Promise<Listening> {
  tasker.door = 'rest';
  const facts = { version: packageVersion(), environment, state: () => 'running' };
  const app = restApp({ tasker, logger, facts });
  const address = parseBindAddress(bind ?? USUAL_ADDRESS);
  if (!isLoopback(address.host)) {
    throw new TaskerError(
      'config_invalid',
      `--bind ${bind}: other machines could reach this address, and tasker dev requires no credential; use tasker server`,
    );
  }
  const options = {
    requestTimeoutMs: 600_000,
    otherAddress: 'choose another port with --bind, or omit --bind to use a free one',
  };
  return bind === undefined ? listenOrMove(app, address, options) : listen(app, address, options);
}
