// Mutants of SQL text: a small tokenizer, and edits by token patterns. Edits that do not parse are discarded later.
const TOKEN =
  /--[^\n]*|'(?:[^']|'')*'|\$\d+|\d+(?:\.\d+)?|[a-z_][a-z0-9_]*|::|<=|>=|<>|->>|->|\|\||<<|>>|@>|[<>=+\-*/%(),;.[\]?:&|]/gi;

const OTHER_STATE = {
  pending: 'enqueued',
  enqueued: 'pending',
  in_progress: 'enqueued',
  waiting_for_retry: 'error',
  complete: 'error',
  error: 'cancelled',
  cancelled: 'error',
  resolved_manually: 'error',
  blocked_by_failures: 'complete',
  waiting_for_dependencies: 'complete',
  alive: 'dead',
  dead: 'buried',
  buried: 'dead',
  stopped: 'dead',
  completed: 'failed',
  failed: 'completed',
  released: 'failed',
  worker_lost: 'failed',
  fail_fast: 'continue_on_failure',
  continue_on_failure: 'fail_fast',
};
const COMPARISONS = {
  '=': ['<>'],
  '<>': ['='],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
};
const OPPOSITES = { min: 'max', max: 'min', least: 'greatest', greatest: 'least', true: 'false', false: 'true' };
/** Keywords that end a condition at the same depth. */
const ENDS = new Set(
  'and or order group limit offset for returning union from where then when else on join left cross inner having , ;'.split(
    ' ',
  ),
);
const CLAUSES = new Set(
  'select from where set on having returning values order group limit offset for when then else'.split(' '),
);

export const LOOKS_LIKE_SQL =
  /\b(select|insert into|update|delete from|where|from|and|truncate|lock table|coalesce|order by|lateral|case)\b/;

/** Tokens with their depth (parentheses, brackets, `case … end`) and the clause they belong to. */
function tokensOf(text) {
  const tokens = [];
  const stack = [{ clause: '' }];
  for (const match of text.matchAll(TOKEN)) {
    const word = match[0];
    if (word.startsWith('--')) continue;
    const lower = word.toLowerCase();
    if (lower === ')' || lower === ']' || lower === 'end') if (stack.length > 1) stack.pop();
    if (CLAUSES.has(lower)) stack.at(-1).clause = lower;
    tokens.push({
      word: lower,
      start: match.index,
      end: match.index + word.length,
      depth: stack.length,
      clause: stack.at(-1).clause,
    });
    if (lower === '(' || lower === '[' || lower === 'case') stack.push({ clause: '' });
  }
  return tokens;
}

/** Edits `{ start, end, replacement, operator }` of one piece of SQL text. */
export function sqlMutants(text) {
  const tokens = tokensOf(text);
  const found = [];
  const add = (operator, start, end, replacement) => found.push({ operator, start, end, replacement });
  const word = (i) => tokens[i]?.word;
  /** The first token after `i` that ends the clause beginning at `i`, or the end of the text. */
  const endOf = (i, ends) => {
    const { depth } = tokens[i];
    for (let j = i + 1; j < tokens.length; j++) {
      if (tokens[j].depth < depth || (tokens[j].depth === depth && ends.has(tokens[j].word))) return j;
    }
    return tokens.length;
  };
  const drop = (operator, from, to, replacement = '') =>
    add(operator, tokens[from].start, tokens[to - 1].end, replacement);
  const betweens = new Set();

  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    const before = word(i - 1);
    const after = word(i + 1);
    switch (token.word) {
      case 'between': {
        const and = tokens.findIndex((other, j) => j > i && other.word === 'and' && other.depth === token.depth);
        if (and > 0) betweens.add(and);
        break;
      }
      case 'and':
        if (betweens.has(i)) break;
        drop('drop condition', i, endOf(i, ENDS));
        add('and/or', token.start, token.end, 'or');
        break;
      case 'or':
        drop('drop condition', i, endOf(i, ENDS));
        add('and/or', token.start, token.end, 'and');
        break;
      case 'where':
      case 'when': {
        const end = endOf(i, ENDS);
        if (end === i + 1) break;
        if (word(end) === 'and' || word(end) === 'or') add('drop condition', tokens[i + 1].start, tokens[end].end, '');
        else if (token.word === 'where') drop('drop condition', i + 1, end, 'true');
        break;
      }
      case 'for':
        if (after === 'update' || after === 'share') locks(i);
        break;
      case 'order':
        if (after === 'by') drop('drop order', i, endOf(i, new Set(['limit', 'for', 'offset', 'returning', 'union'])));
        break;
      case 'desc':
        add('order', token.start, token.end, 'asc');
        break;
      case 'limit':
        drop('drop limit', i, endOf(i, new Set(['for', 'offset', 'returning', 'union', 'order'])));
        break;
      case 'distinct':
        if (before !== 'is' && before !== 'not' && after !== 'from') add('drop distinct', token.start, token.end, '');
        break;
      case 'union':
        if (after === 'all') drop('drop union branch', i, endOf(i, new Set(['order', 'limit', 'union'])));
        break;
      case 'exists':
        if (before === 'not') drop('negate', i - 1, i + 1, 'exists');
        else add('negate', token.start, token.end, 'not exists');
        break;
      case 'not':
        if (after !== 'exists' && before !== 'is' && after !== 'in' && after !== 'materialized')
          add('negate', token.start, token.end, '');
        break;
      case 'is':
        if (after === 'null') drop('negate', i, i + 2, 'is not null');
        if (after === 'not' && word(i + 2) === 'null') drop('negate', i, i + 3, 'is null');
        break;
      case 'in':
        if (after !== '(') break;
        if (before === 'not') drop('negate', i - 1, i + 1, 'in');
        else add('negate', token.start, token.end, 'not in');
        break;
      case '+':
      case '-':
        if (
          !/^(?:[a-z_$\d].*|\)|'.*)$/.test(before ?? '') ||
          /^(case|then|else|when|select|by|and|or|,)$/.test(before ?? '')
        )
          break;
        if (after === '1') add('arithmetic', tokens[i + 1].start, tokens[i + 1].end, '0');
        else add('arithmetic', token.start, token.end, token.word === '+' ? '-' : '+');
        break;
      case 'coalesce':
        coalesce(i);
        break;
      case 'min':
      case 'max':
      case 'least':
      case 'greatest':
        if (after === '(') add('aggregate', token.start, token.end, OPPOSITES[token.word]);
        break;
      case 'true':
      case 'false':
        if (before !== 'on') add('boolean', token.start, token.end, OPPOSITES[token.word]);
        break;
      default:
        if (token.word.startsWith("'")) literal(i);
        else comparison(i);
    }
  }

  function locks(i) {
    let end = i + 2;
    if (word(end) === 'of') {
      const list = end;
      while (word(end + 2) === ',') {
        add('drop lock', tokens[end + 1].start, tokens[end + 2].end, '');
        add('drop lock', tokens[end + 2].start, tokens[end + 3].end, '');
        end += 2;
      }
      end = Math.max(end, list) + 2;
    }
    if (word(end) === 'skip' && word(end + 1) === 'locked') {
      drop('drop skip locked', end, end + 2);
      end += 2;
    }
    drop('drop lock', i, end);
    if (word(i + 1) === 'update') add('weaker lock', tokens[i + 1].start, tokens[i + 1].end, 'share');
  }

  function coalesce(i) {
    const close = tokens.findIndex((other, j) => j > i + 1 && other.word === ')' && other.depth === tokens[i].depth);
    const comma = tokens.findLastIndex(
      (other, j) => j > i && j < close && other.word === ',' && other.depth === tokens[i].depth + 1,
    );
    if (close < 0 || comma < 0) return;
    const value = text.slice(tokens[comma].end, tokens[close].start).trim();
    const other = { false: 'true', true: 'false', 0: '1' }[value];
    if (other) add('coalesce', tokens[comma + 1].start, tokens[close - 1].end, other);
    else add('coalesce', tokens[i].start, tokens[close].end, text.slice(tokens[i + 1].end, tokens[comma].start).trim());
  }

  function literal(i) {
    const token = tokens[i];
    const other = OTHER_STATE[token.word.slice(1, -1)];
    if (!other) return;
    add('state', token.start, token.end, `'${other}'`);
    if (word(i + 1) === ',' && word(i + 2)?.startsWith("'")) add('drop state', token.start, tokens[i + 1].end, '');
    else if (word(i - 1) === ',' && word(i + 1) === ')' && word(i - 2)?.startsWith("'"))
      add('drop state', tokens[i - 1].start, token.end, '');
  }

  function comparison(i) {
    const token = tokens[i];
    const others = COMPARISONS[token.word];
    if (!others || (token.clause === 'set' && token.word === '=')) return;
    if (word(i + 1) === 'any') add('comparison', token.start, tokens[i + 1].end, '<> all');
    else if (word(i + 1) === 'all') add('comparison', token.start, tokens[i + 1].end, '= any');
    else for (const other of others) add('comparison', token.start, token.end, other);
  }

  return found;
}
