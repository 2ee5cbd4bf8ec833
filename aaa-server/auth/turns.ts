// What waits for something that does one thing at a time: tenants take turns, so that one of them cannot keep the others waiting.

export type Turns<T> = {
  /** False when too much of this tenant waits already. */
  add(tenantId: number, item: T): boolean;
  /** Takes what is next: of each tenant in turn, in the order it came. */
  next(): T | undefined;
  /** Takes away what `isOver`, from the front of each tenant. */
  drop(isOver: (item: T) => boolean): T[];
  size(): number;
};

/** @param mostOfOne of a tenant that may wait */
export function createTurns<T>(mostOfOne: number): Turns<T> {
  /** By tenant, none empty; the first has the next turn. */
  const lines = new Map<number, T[]>();
  let size = 0;
  return {
    size: () => size,
    add(tenantId, item) {
      const line = lines.get(tenantId) ?? [];
      if (line.length >= mostOfOne) return false;
      line.push(item);
      lines.set(tenantId, line);
      size++;
      return true;
    },
    next() {
      for (const [tenantId, line] of lines) {
        lines.delete(tenantId);
        const item = line.shift();
        if (line.length > 0) lines.set(tenantId, line);
        size--;
        return item;
      }
      return undefined;
    },
    drop(isOver) {
      const over: T[] = [];
      for (const [tenantId, line] of lines) {
        const kept = line.findIndex((item) => !isOver(item));
        over.push(...line.splice(0, kept < 0 ? line.length : kept));
        if (line.length === 0) lines.delete(tenantId);
      }
      size -= over.length;
      return over;
    },
  };
}
