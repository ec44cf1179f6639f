import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { expect, it, onTestFinished } from 'vitest';
import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler } from '../../src/handlers/step-handler.ts';
import { withMixins } from '../../src/handlers/with-mixins.ts';

type Copy = typeof import('../../src/handlers/decision/decision-mixin.ts') &
  typeof import('../../src/handlers/decision/decision.ts');

/** Returns a second copy of the package in the same process, such as the copy of a plugin. */
async function anotherCopy(): Promise<Copy> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tasker-copy-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const rooms = ['decision-mixin', 'decision'];
  const contents = rooms.map((file) => `export * from './src/handlers/decision/${file}.ts';`).join('\n');
  const outfile = path.join(folder, 'copy.mjs');
  const stdin = { contents, resolveDir: process.cwd() };
  await esbuild.build({ stdin, outfile, bundle: true, format: 'esm', platform: 'node', logLevel: 'error' });
  return (await import(pathToFileURL(outfile).href)) as Copy;
}

it('mixins, wrapper classes and decisions of two copies of the package work together', async () => {
  const copy = await anotherCopy();
  class Router extends withMixins(StepHandler, copy.DecisionMixin) {
    static override handlerName = 'router';
    call() {
      return this.decisionSuccess(['next_step']);
    }
  }
  expect(new Router().call()).toMatchObject({ result: { steps_created: ['next_step'] } });
  expect(() => withMixins(StepHandler, copy.DecisionHandler as never)).toThrow(
    'DecisionHandler is a handler, not a mixin',
  );

  const route = defineDecisionHandler('route', {}, () => copy.Decision.route(['next_step']));
  const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'route' });
  expect(await new route().call(context)).toMatchObject({ result: { steps_created: ['next_step'] } });
});
