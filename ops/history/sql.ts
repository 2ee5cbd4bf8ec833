// Parts of statements on the table `accounting`: made of whole numbers and of texts that are quoted, nothing else.

/** The rows of these subscriptions of a tenant. */
export function ofSql(tenantId: number, subscriptionIds: readonly number[]): string {
  return `tenant_id = ${sqlWhole(tenantId)} AND subscription_id IN (${subscriptionIds.map(sqlWhole).join(', ')})`;
}

/** The rows at or before the position of their WAL. */
export function withinSql(upTo: ReadonlyMap<string, number>): string {
  const wals = [...upTo.keys()];
  if (wals.length === 0) return 'false';
  const positions = `CAST(${sqlList([...upTo.values()].map(sqlWhole))}, 'Array(UInt64)')`;
  return `position <= transform(wal, [${wals.map(sqlText).join(', ')}], ${positions}, toUInt64(0))`;
}

/** @throws {RangeError} for anything but 0 … 2^53 − 1: a bug, not a statement. */
export function sqlWhole(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a whole number`);
  return value;
}

export function sqlList(numbers: readonly number[]): string {
  return `[${numbers.join(', ')}]`;
}

export function sqlText(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

export function sqlInstant(atMs: number): string {
  return `fromUnixTimestamp64Milli(toInt64(${sqlWhole(Math.floor(atMs))}), 'UTC')`;
}
