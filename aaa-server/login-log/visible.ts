// Texts of a request as the auth log keeps them: bounded, with control characters made visible, and never a password typed as a user name.

const mostCharacters = 128;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal or a table as they are
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

export function visibleText(text: string): string {
  const shown = text
    .slice(0, mostCharacters)
    .toWellFormed()
    .replaceAll(control, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return text.length > mostCharacters ? `${shown}…` : shown;
}

/**
 * The name of a login that nobody has. Many of these are passwords typed into the wrong field: what looks like one is told by its length
 * alone. A name that somebody has is shown as it is.
 */
export function unknownName(name: string): string {
  return looksLikePassword(name) ? `(hidden, ${name.length} characters)` : visibleText(name);
}

/** Marks that user names do not have, or capitals, small letters and digits mixed in a text without a realm. */
function looksLikePassword(name: string): boolean {
  if (/[ !"#$%&'()*,;<=>?[\]^`{|}~]/.test(name)) return true;
  const isMixed = /[a-z]/.test(name) && /[A-Z]/.test(name) && /\d/.test(name);
  return isMixed && name.length >= 8 && !/[@\\]/.test(name) && !/^(?:[0-9A-Fa-f]{2}[-:.]?){6}$/.test(name);
}
