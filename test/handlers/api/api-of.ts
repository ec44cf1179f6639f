import { type APICapable, APIMixin, type ApiDefaults } from '../../../src/handlers/api/api-mixin.ts';

/** Returns an object that sends requests with these defaults. */
export function apiOf(defaults: Partial<ApiDefaults>): APICapable {
  class Api extends APIMixin {
    static override readonly baseUrl = defaults.baseUrl ?? '';
    static override readonly defaultTimeout = defaults.defaultTimeout ?? 10_000;
    static override readonly defaultHeaders = defaults.defaultHeaders ?? {};
    static override readonly maxResponseBytes = defaults.maxResponseBytes ?? APIMixin.maxResponseBytes;
  }
  return new Api();
}
