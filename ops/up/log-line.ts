// A line of a process for the terminal: pino's JSON as a short sentence for people, anything else as it is.

const colours: Readonly<Record<string, number>> = { trace: 90, debug: 90, warn: 33, error: 31, fatal: 31 };
const hidden = new Set(['level', 'time', 'pid', 'hostname', 'process', 'msg', 'err']);

export function humanLine(line: string): string {
  const entry = parse(line);
  if (!entry) return line;
  const level = String(entry.level ?? 'info');
  const time = String(entry.time ?? '').slice(11, 19);
  const fields = Object.entries(entry)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const error = errorText(entry.err, level);
  const words = [String(entry.msg ?? ''), ...fields, ...(error ? [error] : [])].join(' ');
  const colour = colours[level];
  const text = `${time} ${String(entry.process ?? '')}: ${level === 'info' ? '' : `${level}: `}${words}`;
  return colour === undefined ? text : `\u001b[${colour}m${text}\u001b[0m`;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'level' in value ? { ...value } : undefined;
  } catch {
    return undefined; // Not JSON after all: shown as it is.
  }
}

/** A death is shown with its stack, the rest in one line. */
function errorText(error: unknown, level: string): string {
  if (typeof error !== 'object' || error === null) return '';
  const { message, stack } = error as { message?: unknown; stack?: unknown };
  return level === 'fatal' && typeof stack === 'string' ? `\n${stack}` : `(${String(message ?? '')})`;
}
