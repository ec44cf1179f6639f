import type { CallOptions } from '../client-options.ts';
import type { DerivedVerbs } from '../derived-verbs.ts';
import { pause } from '../pause.ts';
import type { Send } from '../send.ts';
import type {
  BrowserSession,
  BulkActPreview,
  BulkActReport,
  BulkActRequest,
  DetailedHealth,
  DlqEntry,
  DlqListQuery,
  Health,
  ReadyHealth,
  StepResponse,
} from '../types.ts';

/** The operator and the reason of an action. The server keeps both in the history. */
export interface Operator {
  reason?: string | undefined;
  /** With a credential, the server records the subject of the credential instead, and keeps this name as a remark. */
  by: string;
}

/** The actions on one step that share a route. A step is named by its UUID. */
export function stepVerbs({ update }: DerivedVerbs['steps']) {
  return {
    /** Resets a failed step to its full number of attempts. */
    reset(task: string, step: string, by: Operator, options?: CallOptions): Promise<StepResponse> {
      return update(task, step, { action_type: 'reset_for_retry', reason: by.reason, reset_by: by.by }, options);
    },
    /** Ends a step by hand, with a result or without one. Its dependents continue. */
    resolve(
      task: string,
      step: string,
      { result, ...by }: Operator & { result?: unknown },
      options?: CallOptions,
    ): Promise<StepResponse> {
      const resolution = { reason: by.reason, resolved_by: by.by, ...(result !== undefined && { result }) };
      return update(task, step, { action_type: 'resolve_manually', ...resolution }, options);
    },
    /** Ends a step by hand with a result. `metadata` is kept with the result. */
    complete(
      task: string,
      step: string,
      { result, metadata, ...by }: Operator & { result: unknown; metadata?: Record<string, unknown> | undefined },
      options?: CallOptions,
    ): Promise<StepResponse> {
      const completion = { reason: by.reason, completed_by: by.by, completion_data: { result, metadata } };
      return update(task, step, { action_type: 'complete_manually', ...completion }, options);
    },
  };
}

/** Time between two reads of a bulk action that {@link bulkActVerbs} follows. */
const FOLLOW_MS = 500;

/** Verbs for bulk actions that send several requests, or another request than the server names. */
export function bulkActVerbs(send: Send, { get }: DerivedVerbs['bulkActs']) {
  return {
    /** Returns a preview of a bulk action. Changes nothing. */
    preview: (request: BulkActRequest, options?: CallOptions) =>
      send<BulkActPreview>('POST', '/v1/bulk-acts', { ...request, dry_run: true }, options),
    /**
     * Yields the progress of a bulk action about twice a second, and finally its outcome. `pollMs` changes the
     * interval.
     */
    async *follow(
      id: number,
      { pollMs = FOLLOW_MS, ...options }: CallOptions & { pollMs?: number } = {},
    ): AsyncGenerator<BulkActReport> {
      for (let last = ''; ; await pause(pollMs, options.signal)) {
        const report = await get(id, options);
        const text = JSON.stringify([report.state, report.done, report.skipped_count, report.failed_count]);
        if (text !== last) yield report;
        if (report.ended_at !== null) return;
        last = text;
      }
    },
  };
}

/** The verb that reads all dead letters. The list has pages with numbers. */
export function deadLetterVerbs({ list }: DerivedVerbs['deadLetters']) {
  return {
    /** Returns all dead letters, newest first, and reads their pages as the loop needs them. */
    async *listAll(query: Omit<DlqListQuery, 'offset'> = {}, options?: CallOptions): AsyncGenerator<DlqEntry> {
      const { limit = 100 } = query;
      const seen = new Set<string>();
      for (let offset = 0; ; offset += limit) {
        const page = await list({ ...query, limit, offset }, options);
        // New entries move older entries to later pages.
        yield* page.filter(({ dlq_entry_uuid: id }) => !seen.has(id) && seen.add(id));
        if (page.length < limit) return;
      }
    },
  };
}

/** The verbs for the browser session of the caller. */
export function sessionVerbs(send: Send) {
  return {
    /** Starts a browser session with the rights of the key or token, and sets its cookie. */
    beginSession: (options?: CallOptions) => send<BrowserSession>('POST', '/v1/session', undefined, options),
    /** Ends the session of the cookie. */
    endSession: (options?: CallOptions) => send<{ ended: true }>('DELETE', '/v1/session', undefined, options),
  };
}

/** The verb that reads the configuration. */
export function configVerbs(send: Send) {
  return {
    /** Returns the configuration of the server, with secrets hidden. */
    config: (options?: CallOptions) => send<Record<string, unknown>>('GET', '/config', {}, options),
  };
}

/** The verbs for the health of the server. */
export function healthVerbs(send: Send) {
  return {
    /** Checks that the server responds. */
    check: (options?: CallOptions) => send<Health>('GET', '/health', {}, options),
    /** Checks that the server is ready for requests. @throws ServerError `SERVICE_UNAVAILABLE` if it is not */
    ready: (options?: CallOptions) => send<ReadyHealth>('GET', '/health/ready', {}, options),
    /** Returns the state of every part. */
    detailed: (options?: CallOptions) => send<DetailedHealth>('GET', '/health/detailed', {}, options),
  };
}
