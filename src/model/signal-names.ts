/** The signals that a step waits for, in its template or in the settings of its wait. */
export interface AwaitedSignals<Schema> {
  name?: string | null | undefined;
  /** Set if the step waits for the first of several signals. */
  names?: readonly string[] | null | undefined;
  schema?: Schema | null | undefined;
  schemas?: Readonly<Record<string, Schema>> | null | undefined;
}

/** Returns the names of the signals that a step waits for. */
export function signalNames({ name, names }: AwaitedSignals<unknown>): readonly string[] {
  return names ?? (typeof name === 'string' ? [name] : []);
}

/** Returns the schema of the payload of a signal. Null accepts any JSON. */
export function payloadSchema<Schema>(signals: AwaitedSignals<Schema>, name: string): Schema | null {
  if (!signals.names) return signals.schema ?? null;
  return signals.schemas && Object.hasOwn(signals.schemas, name) ? signals.schemas[name]! : null;
}

/** Returns the result of a step that one signal completes: its payload, with its name if there are several names. */
export function signalResult(signals: AwaitedSignals<unknown>, name: string, payload: unknown): unknown {
  return signals.names ? { name, payload } : payload;
}
