import { camelCase, snakeCase } from '../model/key-case.ts';

/**
 * The objects in a JSON value whose keys are converted. Only data, so that programs can convert responses without loading
 * the schemas. `0` is a value that is the same in both forms: a scalar, a map of scalars, or user-defined JSON. `names` is
 * a list of names of fields, which are converted as keys are. `conditions` is an object whose keys are names of fields,
 * and whose values are the same in both forms.
 */
export type Shape = 0 | 'names' | 'conditions' | ListShape | MapShape | ObjectShape;

interface ListShape {
  readonly list: Shape;
}

/** An object with any keys, which are the same in both forms. */
interface MapShape {
  readonly map: Shape;
}

interface ObjectShape {
  /** The names of all fields in JSON, separated by spaces. */
  readonly fields: string;
  /** The shapes of the fields whose shape is not `0`. */
  readonly parts?: Readonly<Record<string, Shape>>;
  /** Whether the library has the names of the JSON too, because handlers read the object. */
  readonly sameNames?: true;
}

/** `own`: the form of the library, in camelCase. `json`: the form of the API, in snake_case. */
type Form = 'own' | 'json';
type Convert = (value: unknown) => unknown;

const AS_IS: Convert = (value) => value;

/**
 * Returns a value of the program as JSON: `createdAt` becomes `created_at`, at every depth. Fields that the shape does
 * not list are left out, so that nothing leaves the program that the contract does not list. User-defined JSON keeps its
 * keys, and so do maps such as the numbers of tasks by state.
 */
export function encodeShape(shape: Shape, value: unknown): unknown {
  return toJson(shape)(value);
}

/**
 * Returns JSON of a server as a value of the program: the inverse of {@link encodeShape}. Fields that the shape does not
 * list, which a newer server may send, are left out: they may contain user-defined JSON, whose keys must not be
 * converted. A value that is not what the shape describes is returned as it is.
 */
export function decodeShape(shape: Shape, json: unknown): unknown {
  return toOwn(shape)(json);
}

const toJson = cached('json');
const toOwn = cached('own');

/** Returns a function that returns the conversion of a shape. It is made once. */
function cached(to: Form): (shape: Shape) => Convert {
  const known = new WeakMap<object, Convert>();
  return (shape) => {
    if (typeof shape !== 'object') return make(shape, to);
    const found = known.get(shape);
    if (found) return found;
    const made = make(shape, to);
    known.set(shape, made);
    return made;
  };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function make(shape: Shape, to: Form): Convert {
  const converter = to === 'json' ? toJson : toOwn;
  const renamed = to === 'json' ? snakeCase : camelCase;
  if (shape === 0) return AS_IS;
  if (shape === 'names') return (value) => (Array.isArray(value) ? value.map(renamed) : value);
  if (shape === 'conditions')
    return (value) => (isObject(value) ? entries(value, (key, one) => [renamed(key), one]) : value);
  if ('list' in shape) {
    const item = converter(shape.list);
    return (value) => (Array.isArray(value) ? value.map(item) : value);
  }
  if ('map' in shape) {
    const one = converter(shape.map);
    return (value) => (isObject(value) ? entries(value, (key, given) => [key, one(given)]) : value);
  }
  return objectOf(shape, to, converter);
}

function entries(value: object, convert: (key: string, one: unknown) => [string, unknown]): object {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => convert(key, one)));
}

function objectOf(
  { fields, parts = {}, sameNames }: ObjectShape,
  to: Form,
  converter: (shape: Shape) => Convert,
): Convert {
  const all = fields.split(' ').map((json) => {
    const own = sameNames ? json : camelCase(json);
    const convert = converter(parts[json] ?? 0);
    return to === 'json' ? { to: json, from: own, convert } : { to: own, from: json, convert };
  });
  return (value) => {
    if (!isObject(value)) return value;
    const made: Record<string, unknown> = {};
    for (const { to: name, from, convert } of all) {
      // A field that already has its name in the other form is kept.
      const given = value[from] === undefined ? value[name] : value[from];
      if (given !== undefined) made[name] = convert(given);
    }
    return made;
  };
}
