// Reads as much of a SQL text as the HTTP interface must know: what kind of statement, which format, where inline data begins.

export type Statement =
  /** Rows follow the statement: `head` ends where FROM INFILE belongs, `settings` is the clause after it, or ''. */
  | { kind: 'insert'; head: string; settings: string; format: string; dataAt: number }
  /** `sql` is the text without its closing semicolon; `format` is its own FORMAT clause. */
  | { kind: 'select' | 'kill' | 'other'; sql: string; format: string | undefined }
  | { kind: 'refused'; code: number; reason: string };

type Token = { kind: 'word' | 'text' | 'mark'; text: string; at: number; end: number; depth: number };

const SYNTAX_ERROR = 62;
const NOT_IMPLEMENTED = 48;

/** @param source one character per byte (latin1), so that positions are byte offsets. */
export function readStatement(source: string): Statement {
  const tokens: Token[] = [];
  let first = '';
  for (const token of tokensOf(source)) {
    if (tokens.length === 0) first = token.text.toUpperCase();
    tokens.push(token);
    if (first !== 'INSERT' || token.kind !== 'word' || token.depth !== 0) continue;
    const word = token.text.toUpperCase();
    if (word === 'INFILE') return refuse(NOT_IMPLEMENTED, 'FROM INFILE is not allowed here: send the rows as the body');
    if (word === 'SELECT' || word === 'WITH') break;
    const before = tokens.at(-2);
    // The words before these two are INSERT, mostly INTO, and the table.
    const named = tokens.length > (/^into$/i.test(tokens[1]?.text ?? '') ? 4 : 3);
    if (before && named && before.depth === 0 && before.text.toUpperCase() === 'FORMAT') {
      return insertOf(source, tokens, before, token.text, dataStart(source, token.end));
    }
    if (word === 'VALUES') return insertOf(source, tokens, token, 'Values', token.end);
  }
  if (first === 'INSERT')
    for (const token of tokensOf(source, tokens.at(-1)?.end, tokens.at(-1)?.depth)) tokens.push(token);
  return plain(source, tokens, first);
}

function plain(source: string, tokens: readonly Token[], first: string): Statement {
  const semicolon = tokens.findIndex(({ text, kind }) => kind === 'mark' && text === ';');
  const own = semicolon < 0 ? tokens : tokens.slice(0, semicolon);
  if (own.length === 0) return refuse(SYNTAX_ERROR, 'Empty query');
  if (tokens.slice(own.length).some(({ text }) => text !== ';')) {
    return refuse(SYNTAX_ERROR, 'Syntax error (Multi-statements are not allowed)');
  }
  const words = own.map(({ text, kind, depth }) => (kind === 'word' && depth === 0 ? text.toUpperCase() : ''));
  if (words.some((word, index) => word === 'OUTFILE' && words[index - 1] === 'INTO')) {
    return refuse(NOT_IMPLEMENTED, 'INTO OUTFILE is not allowed here: the answer is the file');
  }
  if (first === 'KILL' && words.at(-1) === 'SYNC') {
    return refuse(NOT_IMPLEMENTED, 'KILL … SYNC would wait for ever in the embedded server: leave SYNC out');
  }
  const at = words.lastIndexOf('FORMAT');
  const format = at >= 0 && own[at + 1]?.kind === 'word' ? own[at + 1]?.text : undefined;
  const selects = ['SELECT', 'WITH', 'FROM', '('].includes(first);
  const sql = source.slice(0, own.at(-1)?.end ?? 0);
  return { kind: selects ? 'select' : first === 'KILL' ? 'kill' : 'other', sql, format };
}

function insertOf(source: string, tokens: readonly Token[], clause: Token, format: string, dataAt: number): Statement {
  const settings = tokens.find(
    ({ kind, text, depth }, index) => index > 2 && kind === 'word' && depth === 0 && /^settings$/i.test(text),
  );
  return {
    kind: 'insert',
    head: source.slice(0, settings?.at ?? clause.at),
    settings: settings ? source.slice(settings.at, clause.at) : '',
    format,
    dataAt,
  };
}

/** As ClickHouse: blanks after the format's name belong to the statement, and so does one line end. */
function dataStart(source: string, from: number): number {
  let at = from;
  while (' \t\f'.includes(source[at] ?? '.')) at++;
  if (source[at] === '\r') at++;
  return source[at] === '\n' ? at + 1 : at;
}

function refuse(code: number, reason: string): Statement {
  return { kind: 'refused', code, reason };
}

const blank = /(?:\s|--[^\n]*|#[! ][^\n]*|\/\*[\s\S]*?(?:\*\/|$))+/y;
const startsBlank = /[\s\-#/]/;
const word = /[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff$]*/y;

/** What a token that is no word begins with, and how it goes on. */
const texts: Readonly<Record<string, RegExp>> = {
  "'": /'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/y,
  '"': /"(?:[^"\\]|\\[\s\S]|"")*(?:"|$)/y,
  '`': /`(?:[^`\\]|\\[\s\S]|``)*(?:`|$)/y,
  $: /\$([A-Za-z0-9_]*)\$[\s\S]*?(?:\$\1\$|$)/y,
  ...Object.fromEntries(Array.from('0123456789', (digit) => [digit, /\d[A-Za-z0-9_.]*/y])),
};

function* tokensOf(source: string, from = 0, startDepth = 0): Generator<Token> {
  let at = from;
  let depth = startDepth;
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.test(source) ? pattern.lastIndex - at : 0;
  };
  for (;;) {
    if (startsBlank.test(source[at] ?? '')) at += match(blank);
    const character = source[at];
    if (character === undefined) return;
    const text = texts[character];
    const letters = text ? 0 : match(word);
    const length = letters || (text ? match(text) : 0) || 1;
    if (character === ')' || character === ']' || character === '}') depth--;
    const kind = letters > 0 ? 'word' : text ? 'text' : 'mark';
    yield { kind, text: source.slice(at, at + length), at, end: at + length, depth };
    if (character === '(' || character === '[' || character === '{') depth++;
    at += length;
  }
}
