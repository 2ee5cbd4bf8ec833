// In which order the home servers of a realm are asked.
import type { ServerChoice } from '#policy/proxy/settings.ts';
import type { HomePort } from './home-port.ts';

/**
 * Those alive, then the zombies, never the dead. With `spread` the one that `who` falls on goes first: by rendezvous, so that one and
 * the same subscriber (and every packet of his conversation, at whichever worker it comes in) has the same server as long as it is
 * alive, and only those of a server that fails move.
 */
export function inTurn(ports: readonly HomePort[], choice: ServerChoice, who: () => string): HomePort[] {
  const ordered = choice === 'order' || ports.length < 2 ? ports : spread(ports, who());
  const alive = ordered.filter((port) => port.state() === 'alive');
  return alive.length === ordered.length ? alive : [...alive, ...ordered.filter((port) => port.state() === 'zombie')];
}

function spread(ports: readonly HomePort[], who: string): HomePort[] {
  return ports
    .map((port) => ({ port, weight: hash(`${port.server.id}/${who}`) }))
    .sort((a, b) => b.weight - a.weight)
    .map(({ port }) => port);
}

/** FNV-1a with the bits mixed well: neighbours must not fall together. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
