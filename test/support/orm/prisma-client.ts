import { PrismaPg } from '@prisma/adapter-pg';
import { getPrismaClient } from '@prisma/client/runtime/client';
import type { PrismaTransaction } from '../../../src/orm/index.ts';

// The configuration that `prisma generate` writes for one model, so that the tests need neither the command line of
// Prisma nor its download of an engine. The runtime and the query compiler are those of the package @prisma/client.
// After an update of that package, run `prisma generate` with the generator `prisma-client` for this schema, and copy
// the values from internal/class.ts. `PRISMA_SCHEMA_ENGINE_BINARY=/bin/true` prevents the download.
const SCHEMA = `generator client {
  provider   = "prisma-client"
  engineType = "client"
}

datasource db {
  provider = "postgresql"
}

model Charge {
  id   BigInt    @id @default(autoincrement())
  note String?
  big  BigInt?
  at   DateTime? @db.Timestamptz(6)
  data Json?

  @@map("charge")
}
`;

const STRINGS = [
  'where',
  'Charge.findUnique',
  'Charge.findUniqueOrThrow',
  'orderBy',
  'cursor',
  'Charge.findFirst',
  'Charge.findFirstOrThrow',
  'Charge.findMany',
  'data',
  'Charge.createOne',
  'Charge.createMany',
  'Charge.createManyAndReturn',
  'Charge.updateOne',
  'Charge.updateMany',
  'Charge.updateManyAndReturn',
  'create',
  'update',
  'Charge.upsertOne',
  'Charge.deleteOne',
  'Charge.deleteMany',
  'having',
  '_count',
  '_avg',
  '_sum',
  '_min',
  '_max',
  'Charge.groupBy',
  'Charge.aggregate',
  'AND',
  'OR',
  'NOT',
  'id',
  'note',
  'big',
  'at',
  'equals',
  'string_contains',
  'string_starts_with',
  'string_ends_with',
  'array_starts_with',
  'array_ends_with',
  'array_contains',
  'lt',
  'lte',
  'gt',
  'gte',
  'not',
  'in',
  'notIn',
  'contains',
  'startsWith',
  'endsWith',
  'set',
  'increment',
  'decrement',
  'multiply',
  'divide',
];

const GRAPH =
  'PAsQCAgAADIAIBwAAC0AMB0AAAQAEB4AAC0AMB8EAAAAASABAC8AISEEADAAISJAADEAIQEAAAABACABAAAAAQAgCAgAADIAIBwAAC0AMB0AAAQAEB4AAC0AMB8EAC4AISABAC8AISEEADAAISJAADEAIQQIAAAzACAgAAAzACAhAAAzACAiAAAzACADAAAABAAgAwAABQAwBAAAAQAgAwAAAAQAIAMAAAUAMAQAAAEAIAMAAAAEACADAAAFADAEAAABACAFCIAAAAABHwQAAAABIAEAAAABIQQAAAABIkAAAAABAQgAAAkAIAUIgAAAAAEfBAAAAAEgAQAAAAEhBAAAAAEiQAAAAAEBCAAACwAwAQgAAAsAMAUIgAAAAAEfBAA5ACEgAQA6ACEhBAA7ACEiQAA8ACECAAAAAQAgCAAADgAgBQiAAAAAAR8EADkAISABADoAISEEADsAISJAADwAIQIAAAAEACAIAAAQACACAAAABAAgCAAAEAAgAwAAAAEAIA8AAAkAIBAAAA4AIAEAAAABACABAAAABAAgCQgAADMAIBUAADQAIBYAADUAIBcAADgAIBgAADcAIBkAADYAICAAADMAICEAADMAICIAADMAIAgIAAAfACAcAAAaADAdAAAXABAeAAAaADAfBAAbACEgAQAcACEhBAAdACEiQAAeACEDAAAABAAgAwAAFgAwFAAAFwAgAwAAAAQAIAMAAAUAMAQAAAEAIAgIAAAfACAcAAAaADAdAAAXABAeAAAaADAfBAAbACEgAQAcACEhBAAdACEiQAAeACENFQAAKgAgFgAAKwAgFwAALAAgGAAALAAgGQAALAAgIwQAAAABKgQAAAABKwQAAAABLAQAAAABLQQAAAABLgQAKQAhLwQAAAAEMAQAAAAEDhUAACAAIBgAACgAIBkAACgAICMBAAAAASoBAAAAASsBAAAAASwBAAAAAS0BAAAAAS4BACcAIS8BAAAABTABAAAABTEBAAAAATIBAAAAATMBAAAAAQ0VAAAgACAWAAAlACAXAAAmACAYAAAmACAZAAAmACAjBAAAAAEqBAAAAAErBAAAAAEsBAAAAAEtBAAAAAEuBAAkACEvBAAAAAUwBAAAAAULFQAAIAAgGAAAIwAgGQAAIwAgI0AAAAABKkAAAAABK0AAAAABLEAAAAABLUAAAAABLkAAIgAhL0AAAAAFMEAAAAAFDxUAACAAIBgAACEAIBkAACEAICOAAAAAASQBAAAAASUBAAAAASYBAAAAASeAAAAAASiAAAAAASmAAAAAASqAAAAAASuAAAAAASyAAAAAAS2AAAAAAS6AAAAAAQgjAgAAAAEqAgAAAAErAgAAAAEsAgAAAAEtAgAAAAEuAgAgACEvAgAAAAUwAgAAAAUMI4AAAAABJAEAAAABJQEAAAABJgEAAAABJ4AAAAABKIAAAAABKYAAAAABKoAAAAABK4AAAAABLIAAAAABLYAAAAABLoAAAAABCxUAACAAIBgAACMAIBkAACMAICNAAAAAASpAAAAAAStAAAAAASxAAAAAAS1AAAAAAS5AACIAIS9AAAAABTBAAAAABQgjQAAAAAEqQAAAAAErQAAAAAEsQAAAAAEtQAAAAAEuQAAjACEvQAAAAAUwQAAAAAUNFQAAIAAgFgAAJQAgFwAAJgAgGAAAJgAgGQAAJgAgIwQAAAABKgQAAAABKwQAAAABLAQAAAABLQQAAAABLgQAJAAhLwQAAAAFMAQAAAAFCCMIAAAAASoIAAAAASsIAAAAASwIAAAAAS0IAAAAAS4IACUAIS8IAAAABTAIAAAABQgjBAAAAAEqBAAAAAErBAAAAAEsBAAAAAEtBAAAAAEuBAAmACEvBAAAAAUwBAAAAAUOFQAAIAAgGAAAKAAgGQAAKAAgIwEAAAABKgEAAAABKwEAAAABLAEAAAABLQEAAAABLgEAJwAhLwEAAAAFMAEAAAAFMQEAAAABMgEAAAABMwEAAAABCyMBAAAAASoBAAAAASsBAAAAASwBAAAAAS0BAAAAAS4BACgAIS8BAAAABTABAAAABTEBAAAAATIBAAAAATMBAAAAAQ0VAAAqACAWAAArACAXAAAsACAYAAAsACAZAAAsACAjBAAAAAEqBAAAAAErBAAAAAEsBAAAAAEtBAAAAAEuBAApACEvBAAAAAQwBAAAAAQIIwIAAAABKgIAAAABKwIAAAABLAIAAAABLQIAAAABLgIAKgAhLwIAAAAEMAIAAAAECCMIAAAAASoIAAAAASsIAAAAASwIAAAAAS0IAAAAAS4IACsAIS8IAAAABDAIAAAABAgjBAAAAAEqBAAAAAErBAAAAAEsBAAAAAEtBAAAAAEuBAAsACEvBAAAAAQwBAAAAAQICAAAMgAgHAAALQAwHQAABAAQHgAALQAwHwQALgAhIAEALwAhIQQAMAAhIkAAMQAhCCMEAAAAASoEAAAAASsEAAAAASwEAAAAAS0EAAAAAS4EACwAIS8EAAAABDAEAAAABAsjAQAAAAEqAQAAAAErAQAAAAEsAQAAAAEtAQAAAAEuAQAoACEvAQAAAAUwAQAAAAUxAQAAAAEyAQAAAAEzAQAAAAEIIwQAAAABKgQAAAABKwQAAAABLAQAAAABLQQAAAABLgQAJgAhLwQAAAAFMAQAAAAFCCNAAAAAASpAAAAAAStAAAAAASxAAAAAAS1AAAAAAS5AACMAIS9AAAAABTBAAAAABQwjgAAAAAEkAQAAAAElAQAAAAEmAQAAAAEngAAAAAEogAAAAAEpgAAAAAEqgAAAAAErgAAAAAEsgAAAAAEtgAAAAAEugAAAAAEAAAAAAAAFNAQAAAABNQQAAAABNgQAAAABNwQAAAABOAQAAAABATQBAAAAAQU0BAAAAAE1BAAAAAE2BAAAAAE3BAAAAAE4BAAAAAEBNEAAAAABAAAAAAUVAAYWAAcXAAgYAAkZAAoAAAAAAAUVAAYWAAcXAAgYAAkZAAoBAgECAwEFBgEGBwEHCAEJCgEKDAILDQMMDwENEQIOEgQREwESFAETFQIaGAUbGQs';

const FIELDS = [
  { name: 'id', kind: 'scalar', type: 'BigInt' },
  { name: 'note', kind: 'scalar', type: 'String' },
  { name: 'big', kind: 'scalar', type: 'BigInt' },
  { name: 'at', kind: 'scalar', type: 'DateTime' },
  { name: 'data', kind: 'scalar', type: 'Json' },
];

/** The type `WebAssembly` comes from the library of browsers. */
const wasmModule = (bytes: Uint8Array): unknown =>
  new (globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => unknown } }).WebAssembly.Module(
    bytes,
  );

const COMPILER = '@prisma/client/runtime/query_compiler_fast_bg.postgresql';

const CONFIG = {
  previewFeatures: [],
  clientVersion: '7.10.1',
  engineVersion: 'd1b3f377ca835d73fd50954a5e22128b9ebdd6b8',
  activeProvider: 'postgresql',
  inlineSchema: SCHEMA,
  runtimeDataModel: { models: { Charge: { fields: FIELDS, dbName: 'charge', schema: null } }, enums: {}, types: {} },
  parameterizationSchema: { strings: STRINGS, graph: GRAPH },
  compilerWasm: {
    getRuntime: async () => (await import(`${COMPILER}.mjs`)) as never,
    getQueryCompilerWasmModule: async () => {
      const { wasm } = (await import(`${COMPILER}.wasm-base64.mjs`)) as { wasm: string };
      return wasmModule(Buffer.from(wasm, 'base64'));
    },
    importName: './query_compiler_fast_bg.js',
  },
};

/** The part of a generated client that the tests use. */
export interface ChargeTransaction extends PrismaTransaction {
  charge: { create(call: { data: Record<string, unknown> }): Promise<Record<string, unknown>> };
  $executeRawUnsafe(query: string): Promise<number>;
  /** A nested transaction is a savepoint. */
  $transaction<T>(work: (tx: ChargeTransaction) => Promise<T>): Promise<T>;
}

/** A client of Prisma with the model of the table `charge`. */
export interface ChargeClient extends Pick<ChargeTransaction, '$transaction' | '$queryRawUnsafe'> {
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
}

const Client = getPrismaClient(CONFIG as never) as unknown as new (options: { adapter: PrismaPg }) => ChargeClient;

/** Returns a client with one connection. */
export function prismaClient(url: string): ChargeClient {
  return new Client({ adapter: new PrismaPg({ connectionString: url, max: 1 }) });
}
