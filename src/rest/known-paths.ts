import type { OpenAPIHono } from '@hono/zod-openapi';

/** The paths of the routes in the OpenAPI document, with their methods. */
export class KnownPaths {
  readonly #app: OpenAPIHono;
  #known: { method: string; pattern: RegExp }[] | undefined;

  constructor(app: OpenAPIHono) {
    this.#app = app;
  }

  /** Returns the methods of a path, in upper case. Empty if no route has the path. */
  methodsOf(path: string): string[] {
    this.#known ??= this.#app.openAPIRegistry.definitions.flatMap((one) => {
      if (one.type !== 'route') return [];
      const pattern = new RegExp(`^${one.route.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
      return [{ method: one.route.method.toUpperCase(), pattern }];
    });
    return [...new Set(this.#known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort();
  }
}
