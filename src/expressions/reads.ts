import type { ASTNode } from '@marcbachmann/cel-js';
import { describeUnknown } from '../model/near-names.ts';
import { childrenOf, type Node, ROOTS, type Root } from './cel.ts';
import { ExpressionError } from './expression-error.ts';

/** A value that an expression reads: a path from one of its names. */
export interface Read {
  root: Root;
  /** The keys and indexes. Null stands for one that is computed at run time. */
  keys: readonly (string | null)[];
  /** The part of the expression that reads it, as offsets. */
  start: number;
  end: number;
  /** Whether it is only tested for existence, by `has` or `in`. */
  tested: boolean;
}

/** Names of types, which `type(value)` is compared with. */
const TYPES = new Set(['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint']);
/** The names that a macro's variable may have, too: they exist only in some expressions. */
const SHADOWED: ReadonlySet<string> = new Set<Root>(['element', 'index']);
/** The names that exist in every expression. */
const ALWAYS = ROOTS.filter((name) => !SHADOWED.has(name));
const isRoot = (name: string): name is Root => (ROOTS as readonly string[]).includes(name);

/**
 * Returns what an expression reads, in the order of its text.
 * @throws ExpressionError if it has an unknown name, or if a macro's variable has one of the names
 */
export function readsOf(root: ASTNode): Read[] {
  const reads: Read[] = [];
  walk(root as Node, new Set(), reads);
  return reads.sort((a, b) => a.start - b.start);
}

function walk(node: Node, bound: ReadonlySet<string>, reads: Read[]): void {
  const chain = chainOf(node, bound);
  if (chain) {
    reads.push({ ...chain.read, tested: false });
    for (const index of chain.computed) walk(index, bound, reads);
    return;
  }
  refuseInput(node, bound);
  if (node.op === 'id') {
    if (bound.has(node.args) || TYPES.has(node.args)) return;
    throw new ExpressionError(describeUnknown('name', [node.args], ALWAYS), node.start);
  }
  if (node.op === 'call' && node.args[0] === 'has' && node.args[1].length === 1) {
    const tested = chainOf(node.args[1][0] as Node, bound);
    if (tested) reads.push({ ...tested.read, tested: true });
    return;
  }
  if (node.op === 'in' && node.args[1].op === 'id' && isRoot(node.args[1].args) && !bound.has(node.args[1].args)) {
    const [key, { args: name }] = node.args;
    if (key.op === 'value' && typeof key.args === 'string') {
      reads.push({ root: name, keys: [key.args], start: node.start, end: node.end, tested: true });
      return;
    }
  }
  if (node.op === 'rcall' && node.meta.alternate) {
    const [, over, [variable, ...bodies]] = node.args;
    walk(over as Node, bound, reads);
    const inner = new Set([...bound, variableOf(variable!)]);
    for (const body of bodies) walk(body as Node, inner, reads);
    return;
  }
  for (const child of childrenOf(node)) walk(child, bound, reads);
}

/** Functions of workflows read the same values as `input`. */
function refuseInput(node: Node, bound: ReadonlySet<string>): void {
  const id: ASTNode = node.op === '.' ? node.args[0] : node;
  if (id.op !== 'id' || bound.has(id.args) || !/^inputs?$/.test(id.args)) return;
  const key = node.op === '.' ? `.${node.args[1]}` : '';
  throw new ExpressionError(
    `unknown name ${id.args}; the input of a task is its context: write context${key}`,
    id.start,
  );
}

function variableOf(node: ASTNode): string {
  const name = node.op === 'id' ? node.args : '';
  if (!isRoot(name) || SHADOWED.has(name)) return name;
  throw new ExpressionError(`a variable cannot be called ${name}, which has another meaning; rename it`, node.start);
}

/** Returns the path that a node reads if it is a chain of accesses that begins with one of the names. */
function chainOf(node: Node, bound: ReadonlySet<string>): { read: Omit<Read, 'tested'>; computed: Node[] } | undefined {
  const keys: (string | null)[] = [];
  const computed: Node[] = [];
  let at: ASTNode = node;
  while (at.op === '.' || at.op === '[]') {
    if (at.op === '.') keys.push(at.args[1]);
    else {
      const index = at.args[1] as Node;
      const literal = index.op === 'value' && ['string', 'bigint', 'number'].includes(typeof index.args);
      keys.push(literal ? String(index.args) : null);
      if (!literal) computed.push(index);
    }
    at = at.args[0];
  }
  if (at.op !== 'id' || bound.has(at.args) || !isRoot(at.args)) return undefined;
  return { read: { root: at.args, keys: keys.reverse(), start: at.start, end: node.end }, computed };
}
