// Where a process of this node reaches the admin port of another one.

/** The admin port listens on the first address of BIND_HOST; one that means every address is reached by loopback. */
export function adminUrl(bindHosts: readonly string[], port: number): string {
  const host = bindHosts[0] ?? '127.0.0.1';
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`;
}
