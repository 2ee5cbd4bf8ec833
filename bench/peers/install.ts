// Sees to it that the Debian programs of a bench are there: installs them when root, else says which are missing and stops.
import { installPeers, missing } from '#test/support/peers.ts';

/** @throws when one is missing and cannot be installed: a comparison without its peer is none */
export function installForBench(packages: readonly string[], say: (line: string) => void): void {
  for (const line of installPeers(packages)) say(line);
  const absent = missing(...packages);
  if (absent) throw new Error(`${absent}; run: apt-get install ${packages.join(' ')}`);
}
