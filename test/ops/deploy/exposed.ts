// Which metrics the processes expose, and which of them a query names.
/** Names that a query may use, from the `# TYPE` lines of an exposition. */
export function exposedNames(exposition: string): string[] {
  return [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type = '']) =>
    type === 'histogram' || type === 'summary' ? ['_bucket', '_sum', '_count'].map((part) => name + part) : [name],
  );
}

export type Selector = { readonly name: string; readonly matchers: string };

/** The series a query selects; `up` and `ALERTS` are Prometheus's own. */
export function selectorsOf(expr: string): Selector[] {
  return [...expr.matchAll(/\b((?:lastmile|process|nodejs)_[a-z0-9_]+|up|ALERTS)\b(\{[^}]*\})?/g)]
    .map(([, name = '', matchers = '']) => ({ name, matchers }))
    .filter(({ name, matchers }) => name !== 'up' || matchers !== '');
}

/** Labels that a query and its legend speak of. */
export function labelsOf(expr: string, legend = ''): string[] {
  const grouped = [...expr.matchAll(/\b(?:by|on|without|ignoring) ?\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  );
  const matched = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    [...list.matchAll(/(\w+) ?(?:=~|!~|!=|=)/g)].map((match) => match[1] ?? ''),
  );
  const shown = [...legend.matchAll(/\{\{ ?(\w+) ?\}\}/g)].map((match) => match[1] ?? '');
  return [...new Set([...grouped, ...matched, ...shown])];
}
