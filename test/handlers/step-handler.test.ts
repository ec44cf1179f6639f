import { describe, expect, it } from 'vitest';
import { isHandlerClass, isStepHandler, StepHandler } from '../../src/handlers/step-handler.ts';

class Named extends StepHandler {
  static override readonly handlerName: string = 'named';
  static override readonly handlerVersion = '2.1.0';
  call() {
    return this.success();
  }
}

class Nameless extends StepHandler {
  call() {
    return this.success();
  }
}

describe('a handler', () => {
  it('has the name and version of its class', () => {
    const handler = new Named();
    expect([handler.name, handler.version, String(handler)]).toEqual([
      'named',
      '2.1.0',
      'Named(name=named, version=2.1.0)',
    ]);
    expect([handler.capabilities, handler.configSchema()]).toEqual([['process'], null]);
  });

  it('has the name of its class by default, and version 1.0.0', () => {
    expect([new Nameless().name, new Nameless().version]).toEqual(['Nameless', '1.0.0']);
  });
});

describe('recognizing handlers', () => {
  it('accepts handler classes, including handler classes of another copy, and no other values', () => {
    const foreign = class {
      call() {
        return null;
      }
    };
    expect([Named, Nameless, foreign].map(isHandlerClass)).toEqual([true, true, true]);
    const others = [
      StepHandler,
      class {},
      () => 1,
      async () => 1,
      function named() {},
      Date,
      'Named',
      null,
      {},
      new Named(),
    ];
    expect(others.filter(isHandlerClass)).toEqual([]);
  });

  it('recognizes instances by their brand', () => {
    expect([new Named(), { call: () => null }, Named, null].map(isStepHandler)).toEqual([true, false, false, false]);
  });
});
