// Words and phrases of the dialect in which our texts were once written, and what an English-speaking engineer writes
// instead.

/**
 * Each pattern is tried on every text, on texts of one kind, or on all texts except pages ('code'). A pattern must not
 * match good English. If in doubt, leave it out.
 */
export const MARKERS = [
  [/\b(?:is|are|was|were|be|been|being|gets?) told\b(?! apart)/i, 'write "reported", or name who reports what'],
  [/\btells? of\b/i, 'write "reports" or "describes"'],
  [/\b(?:says?|said) so\b/i, 'write what is reported', 'code'],
  [/\bwhat (?:\w+ ){1,4}(?:came|comes|come) (?:to|of)\b/i, 'write "the outcome of"'],
  [/\bwhat becomes of\b/i, 'write "what happens to", or the outcome itself'],
  [/\b(?:goes|went|go) on\b(?! (?:a|the) )/i, 'write "continues"'],
  [/\b(?:stands?|stood) still\b/i, 'write "is stuck" or "stops"'],
  [/\banew\b/i, 'write "again", or "reloaded", "recreated"'],
  [
    /(?<![Tt]here )(?<![Ii]t )\bis no (?!longer\b|more\b|less\b|different\b|better\b|worse\b|slower\b|faster\b|one\b|larger\b|smaller\b|later\b|earlier\b|older\b|newer\b|way\b|need\b|reason\b|such\b|other\b)(?:[A-Z]\w*|[a-z]\w+)/,
    'write "is not a"',
  ],
  [/\b(?:nobody|somebody|whoever|everybody)\b/i, 'name the actor: "no worker", "another transaction"'],
  [/\b(?:gives?|gave|given|giving) (?:\w+ )?back\b/i, 'write "released" or "returned"'],
  [/\b(?:stands?|stood|standing) (?:in(?! for)|there|twice|above|below|at the|on the)\b/i, 'write "is in", "is at"'],
  [/\b(?:of late|by then|for good)\b/i, 'write "recently", "at that point", "permanently"'],
  [/\basks? after\b/i, 'write "checks" or "verifies"'],
  [/\b(?:those|all) that\b/i, 'name them', 'code'],
  [
    /^(?:What|Who|Whom|Whoever|Whatever)\b(?![^.]*\?)/,
    'begin with a noun phrase or a verb: "The task that", "Returns"',
    'comment',
  ],
  [/(?:^|\n\n)Of (?:a|an|the|all|what|those|each|two|several|it)\b/, 'start with the thing, then what it does'],
  [
    /\b(?:so many|so long) (?:at most|at least|and no)\b|\bat most so (?:many|long|much)\b|\bafter so long\b/i,
    'write "maximum number of", "timeout in seconds"',
  ],
  [/\berrors? of its own\b/i, 'write "internal error"'],
  [/\bno more\b(?! than\b| of\b| \w+ than\b)/i, 'write "no longer"'],
  [/\b(?:passes|passed|passing) over\b/i, 'write "skips"'],
  [/\b(?:lets?|letting) (?:\w+ )?go\b/i, 'write "releases"'],
  [/\bnothing else than\b|\bnot else than\b/i, 'write "only"'],
  [/\bmends?\b|\bmended\b|\bmending\b/i, 'write "fix" or "repair"'],
  [/\bnow and then\b/i, 'write "periodically" or "occasionally"'],
  [/\bto begin with\b|\bbegins? anew\b/i, 'write "first" or "restart"'],
  [/\bthereby\b|\bwhereby\b|\bthereof\b|\bwherein\b|\btherein\b|\bhereby\b/i, 'use a plain word'],
  [/\bhow far (?:\w+ ){1,4}(?:is|are|was|came|got)\b/i, 'write "the progress of" or "the position"'],
  [/\b(?:is|are) for nothing\b/i, 'write "has no effect"'],
  [/\b(?:in|with) vain\b/i, 'write "fails" or "without effect"'],
  [/\bas good as\b/i, 'write "almost"'],
  [/\bsigns? of life\b/i, 'write "heartbeat"'],
  [/\b(?:is|are|was|were) (?:gone|done) on with\b/i, 'write "continues"'],
  [/\bhas it that\b|\bhave it that\b/i, 'write what holds'],
].map(([pattern, write, kind]) => ({ pattern, write, kind }));
