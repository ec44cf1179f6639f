import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Checks } from '../../server/served-worker.ts';

const EVERY_MS = 5_000;
/** Failed looks in a row that make a worker unhealthy; fewer, and it is degraded. */
const UNHEALTHY_AFTER = 3;

/** How a worker has been of late. */
export type HealthLevel = 'healthy' | 'degraded' | 'unhealthy';

/** Looks at a worker's health now and then, and logs when it changes. */
export class HealthLoop {
  readonly #look: () => Promise<Checks>;
  readonly #logger: Logger;
  #failures = 0;
  #level: HealthLevel = 'healthy';
  #wrong: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `look` never rejects. */
  constructor(look: () => Promise<Checks>, logger: Logger) {
    this.#look = look;
    this.#logger = logger;
  }

  get level(): HealthLevel {
    return this.#level;
  }

  /** What was wrong when it was last looked at. */
  get wrong(): string | undefined {
    return this.#wrong;
  }

  start(): void {
    // It looks after the worker, and keeps no process alive.
    this.#timer = setTimeout(() => void this.#turn(), EVERY_MS).unref();
  }

  async #turn(): Promise<void> {
    try {
      this.#note(await this.#look());
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'the health of the worker could not be looked at');
    }
    if (!this.#stopped) this.start();
  }

  #note(checks: Checks): void {
    if (this.#stopped) return;
    const wrong = Object.entries(checks).filter(([, { status }]) => status === 'unhealthy');
    this.#failures = wrong.length === 0 ? 0 : this.#failures + 1;
    this.#wrong =
      wrong.length === 0
        ? undefined
        : wrong.map(([part, { detail, message }]) => `${part}: ${detail ?? message ?? 'unhealthy'}`).join('; ');
    const level = this.#failures === 0 ? 'healthy' : this.#failures < UNHEALTHY_AFTER ? 'degraded' : 'unhealthy';
    if (level === this.#level) return;
    this.#level = level;
    if (level === 'healthy') this.#logger.info('the worker is healthy again');
    else this.#logger.warn({ wrong: this.#wrong }, `the worker is ${level}`);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
