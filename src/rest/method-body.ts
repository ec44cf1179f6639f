import type { Tasker } from '../app/tasker.ts';
import type { Verb } from '../contract/verb.ts';
import { camelCase } from '../model/key-case.ts';
import type { Body } from './verb-routes.ts';

type Methods = Readonly<Record<string, unknown>>;

/**
 * Returns the body of a verb that is a method of the tasker: the arguments are the parameters of the path, and then the
 * other parameters and the operator as options. `names`: the names that the method may have.
 */
export function methodBody(tasker: Tasker, names: readonly string[], { method, path, on }: Verb): Body<Verb> {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  return (given, { operator }) => {
    // The method returns what the caller may not see, too.
    if (on === 'visible')
      throw new TypeError(`${method} ${path} needs a body that limits it to what the caller may see`);
    const { by: _, reason: __, ...others } = given as Methods;
    const options = Object.entries(others).filter(([name]) => !parameters.includes(name));
    const named = Object.fromEntries(options.map(([name, value]) => [camelCase(name), value]));
    const carryOut = names.map((name) => methodOf(tasker, name)).find((one) => one !== undefined);
    if (!carryOut)
      throw new TypeError(`${method} ${path} has no body, and the tasker has no method ${names.join(' or ')}`);
    return carryOut(...parameters.map((name) => others[name]), { ...named, ...(method !== 'get' && operator) });
  };
}

function methodOf(tasker: Tasker, name: string): ((...given: unknown[]) => Promise<object>) | undefined {
  const parts = name.split('.');
  const owner = (parts.length === 1 ? tasker : (tasker as unknown as Methods)[parts[0]!]) as Methods;
  const method = owner[parts.at(-1)!];
  return method === undefined
    ? undefined
    : (...given) => (method as (...all: unknown[]) => Promise<object>).apply(owner, given);
}
