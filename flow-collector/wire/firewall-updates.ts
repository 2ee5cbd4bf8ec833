// Which firewall connections were counted by updates: their deletion repeats those totals (Cisco ASA, NSEL).

export type FirewallUpdates = {
  add(exporterIndex: number, flowId: number): void;
  /** Whether the connection had updates; it is forgotten. */
  remove(exporterIndex: number, flowId: number): boolean;
};

const slots = 1 << 16;

/** Remembers the last connection of each of 65,536 slots: 512 kB once there is a firewall, however many connections it has. */
export function createFirewallUpdates(): FirewallUpdates {
  let keys: Float64Array | undefined;
  const keyOf = (exporterIndex: number, flowId: number) => exporterIndex * 2 ** 32 + flowId + 1;
  const slotOf = (exporterIndex: number, flowId: number) =>
    Math.imul(flowId ^ Math.imul(exporterIndex, 0x85ebca6b), 0x9e3779b1) >>> 16;
  return {
    add(exporterIndex, flowId) {
      keys ??= new Float64Array(slots);
      keys[slotOf(exporterIndex, flowId)] = keyOf(exporterIndex, flowId);
    },
    remove(exporterIndex, flowId) {
      const slot = slotOf(exporterIndex, flowId);
      if (keys?.[slot] !== keyOf(exporterIndex, flowId)) return false;
      keys[slot] = 0;
      return true;
    },
  };
}
