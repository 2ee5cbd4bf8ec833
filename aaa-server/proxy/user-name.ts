// Which realm a user name belongs to: `user@realm`, or `REALM\user`; the part behind the last @ goes first (RFC 7542 §2.2).

export type NamedRealm = { readonly realm: string /** The name without it. */; readonly user: string };

/** The realms that a name may speak of, in lower case, the likelier one first; none without any. */
export function realmsIn(userName: string): readonly NamedRealm[] {
  const at = userName.lastIndexOf('@');
  const slash = userName.indexOf('\\');
  if (at < 0 && slash < 0) return none;
  const found: NamedRealm[] = [];
  if (at >= 0 && at < userName.length - 1)
    found.push({ realm: userName.slice(at + 1).toLowerCase(), user: userName.slice(0, at) });
  if (slash > 0) found.push({ realm: userName.slice(0, slash).toLowerCase(), user: userName.slice(slash + 1) });
  return found;
}

const none: readonly NamedRealm[] = [];
