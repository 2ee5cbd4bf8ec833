// Texts inside SQL.

/** The inside of a string literal in single quotes. */
export function escapeText(text: string): string {
  return text.replaceAll(/['\\]/g, '\\$&').replaceAll('\0', '\\0');
}
