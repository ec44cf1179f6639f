import { randomUUID } from 'node:crypto';
import type { asking } from './contract.ts';

export type Json = Record<string, unknown>;

/** A step as a claim returns it. */
export interface GivenStep {
  step_uuid: string;
  task_uuid: string;
  fence: string;
  name: string;
  handler: { callable: string };
  task: { context: Json };
  retry_count: number;
  step_inputs: Json;
  dependency_results: Record<string, { success: boolean; result: Json }>;
  checkpoint: Json | null;
  timeout_ms: number | null;
}

/** The response to a request. */
export interface Answered {
  status: number;
  body: Json;
}

/** Sends a request to a server. */
export type Ask = (path: string, body: object) => Promise<Answered>;

/** Returns a sender for an app in this process, which compares the responses with its document. */
export function askApp(ask: ReturnType<typeof asking>, headers: Record<string, string> = {}): Ask {
  return async (path, given) => {
    const { status, body } = await ask<Json>('POST', `/v1/${path}`, given, headers);
    return { status, body };
  };
}

/** A worker over HTTP for tests, which does nothing on its own. */
export class TestWorker {
  ask: Ask;
  id = 0;
  requests = 0;
  readonly instance = randomUUID();

  constructor(ask: Ask) {
    this.ask = ask;
  }

  async register(handlers: readonly string[], more: object = {}): Promise<Answered> {
    const { instance } = this;
    const worker = { protocol: 1, name: 'py', instance, namespaces: ['test'], handlers, slots: 10, ...more };
    const answer = await this.ask('workers', worker);
    this.id = Number(answer.body.worker_id);
    return answer;
  }

  /** Claims with a new number, or with the given number. */
  claim(more: object = {}): Promise<Answered> {
    return this.ask('steps/claim', { worker_id: this.id, request_id: ++this.requests, slots: 10, ...more });
  }

  /** Claims until there are steps. */
  async steps(more: object = {}): Promise<GivenStep[]> {
    for (let tries = 0; tries < 40; tries++) {
      const { status, body } = await this.claim({ wait_ms: 1000, ...more });
      if (status !== 200) throw new Error(JSON.stringify(body));
      const steps = body.steps as GivenStep[];
      if (steps.length > 0) return steps;
    }
    throw new Error('no steps');
  }

  async step(more: object = {}): Promise<GivenStep> {
    return (await this.steps({ slots: 1, ...more }))[0]!;
  }

  complete({ step_uuid, fence }: GivenStep, result: unknown = {}): Promise<Answered> {
    return this.ask(`steps/${step_uuid}/complete`, { fence, result });
  }

  fail({ step_uuid, fence }: GivenStep, more: object = {}): Promise<Answered> {
    return this.ask(`steps/${step_uuid}/fail`, { fence, message: 'no', ...more });
  }

  checkpoint({ step_uuid, fence }: GivenStep, cursor: unknown): Promise<Answered> {
    return this.ask(`steps/${step_uuid}/checkpoint`, { fence, cursor, items_processed: 1 });
  }

  release({ step_uuid, fence }: GivenStep): Promise<Answered> {
    return this.ask(`steps/${step_uuid}/release`, { fence });
  }

  beat(steps: readonly GivenStep[], more: object = {}): Promise<Answered> {
    const listed = steps.map(({ step_uuid, fence }) => ({ step_uuid, fence }));
    return this.ask(`workers/${this.id}/heartbeat`, { steps: listed, ...more });
  }
}
