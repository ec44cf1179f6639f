import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { BasePublisher } from '../../../src/events/publishing/base-publisher.ts';
import {
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherValidationError,
  RegistryFrozenError,
} from '../../../src/events/publishing/publisher-errors.ts';
import { isPublisherRegistry, PublisherRegistry } from '../../../src/events/publishing/publisher-registry.ts';

class PaymentEvents extends BasePublisher {
  static override publisherName = 'payment_events';
  override publishesFor() {
    return ['process_payment', 'refund_payment'];
  }
}
class OrderEvents extends BasePublisher {
  override readonly publisherName = 'order_events';
}

describe('the publisher registry', () => {
  it.each([
    [() => 'process_payment', 'publishesFor must return a list of step names'],
    [() => undefined, 'publishesFor must return a list of step names'],
    [() => [1], 'publishesFor must return a list of step names'],
    [
      () => {
        throw new Error('no steps yet');
      },
      'publishesFor throws: no steps yet',
    ],
  ])('rejects a publisher with an invalid publishesFor: %#', (given, message) => {
    class Broken extends OrderEvents {
      override publishesFor = given as never;
    }
    const registry = new PublisherRegistry();
    const refused = expect.objectContaining({
      code: 'publisher_invalid',
      message: `publisher order_events: ${message}`,
    });
    expect(() => registry.register(Broken)).toThrow(refused);
    expect(() => registry.exchange({ removed: [], added: [new Broken()] })).toThrow(refused);
    expect(registry.count).toBe(0);
  });

  it('has one shared instance, which is available as a property and as a method', () => {
    const { instance } = PublisherRegistry;
    expect(instance()).toBe(instance);
    expect(PublisherRegistry.getInstance()).toBe(instance);
    expect(instance).toBeInstanceOf(PublisherRegistry);
    expect(isPublisherRegistry(instance)).toBe(true);
    try {
      PublisherRegistry.instance().register(PaymentEvents);
      expect(PublisherRegistry.instance.registeredNames).toEqual(['payment_events']);
      expect(new PublisherRegistry().isEmpty).toBe(true);
    } finally {
      instance.reset();
    }
  });

  it('has a shared instance that a test can spy on', () => {
    const { instance } = PublisherRegistry;
    const spy = vi.spyOn(instance, 'isRegistered');
    const { isRegistered } = instance;
    expect(PublisherRegistry.instance().isRegistered('payment_events')).toBe(false);
    expect(isRegistered).toHaveBeenCalledExactlyOnceWith('payment_events');
    spy.mockReturnValueOnce(true);
    expect(instance.isRegistered('payment_events')).toBe(true);
    spy.mockRestore();
    expect(instance.isRegistered('payment_events')).toBe(false);
    expect(vi.isMockFunction(instance.isRegistered)).toBe(false);
  });

  it('has a shared instance that is printed as a PublisherRegistry, and that Object.freeze cannot freeze', () => {
    const { instance } = PublisherRegistry;
    expect(inspect(instance)).toMatch(/^PublisherRegistry \{/);
    const spy = vi.spyOn(instance, 'isRegistered');
    expect(Reflect.ownKeys(instance)).toEqual(['isRegistered']);
    spy.mockRestore();
    expect(Reflect.ownKeys(instance)).toEqual([]);
    expect(() => Object.freeze(instance)).toThrow(TypeError);
    expect(Object.keys(instance)).toEqual([]);
  });

  it('accepts classes and instances, and only one publisher of each name', () => {
    const registry = new PublisherRegistry();
    registry.register(PaymentEvents);
    registry.register(new OrderEvents());
    expect(registry.registeredNames).toEqual(['payment_events', 'order_events']);
    expect(registry.count).toBe(2);
    expect(() => registry.register(new PaymentEvents())).toThrow(DuplicatePublisherError);
    expect(() => registry.register(PaymentEvents)).toThrow('a publisher payment_events is already registered');
    expect(() => registry.register({} as never)).toThrow(
      'is not a publisher; register a class that extends BasePublisher',
    );
    expect(() => registry.register(BasePublisher as never)).toThrow('is not a publisher');
    expect(() => registry.register((() => undefined) as never)).toThrow('function (anonymous) is not a publisher');
  });

  it('finds a publisher by step or name, or the default publisher', () => {
    const registry = new PublisherRegistry();
    registry.register(PaymentEvents);
    expect(registry.getForStep('refund_payment')?.publisherName).toBe('payment_events');
    expect(registry.getForStep('ship')).toBeUndefined();
    expect(registry.get('payment_events')).toBe(registry.getForStep('process_payment'));
    expect(registry.get('nobody')).toBeUndefined();
    expect(registry.getOrDefault().publisherName).toBe('default');
    expect(registry.getOrDefault('nobody').publisherName).toBe('default');
    expect(registry.isRegistered('default')).toBe(true);
    expect(registry.getStrict('default').publisherName).toBe('default');
    expect(registry.listPublishers().map(({ publisherName }) => publisherName)).toEqual(['payment_events']);
  });

  it('suggests similar names', () => {
    const registry = new PublisherRegistry();
    registry.register(PaymentEvents);
    expect(() => registry.getStrict('paymnt_events')).toThrow(
      'publisher paymnt_events not found; did you mean payment_events?',
    );
    expect(() => registry.getStrict('paymnt_events')).toThrow(PublisherNotFoundError);
    try {
      registry.validateRequired(['default', 'payment_events', 'order_evnts', 'x']);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(PublisherValidationError);
      expect((error as PublisherValidationError).missingPublishers).toEqual(['order_evnts', 'x']);
      expect((error as PublisherValidationError).registeredPublishers).toEqual(['payment_events']);
    }
    expect(registry.isFrozen).toBe(false);
  });

  it('is frozen by its validation, and cannot be changed until it is unfrozen', () => {
    const registry = new PublisherRegistry();
    registry.register(PaymentEvents);
    registry.validateRequired(['payment_events']);
    expect(registry.isFrozen).toBe(true);
    expect(() => registry.register(OrderEvents)).toThrow(RegistryFrozenError);
    expect(() => registry.unregister('payment_events')).toThrow(RegistryFrozenError);
    expect(() => registry.clear()).toThrow('the publisher registry is frozen');
    registry.unfreeze();
    expect(registry.unregister('payment_events')).toBe(true);
    expect(registry.unregister('payment_events')).toBe(false);
    registry.freeze();
    registry.reset();
    expect(registry.isFrozen).toBe(false);
    registry.register(OrderEvents);
    registry.clear();
    expect(registry.isEmpty).toBe(true);
  });
});
