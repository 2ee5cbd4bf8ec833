// Reads a counter of a process from its /metrics.

/** Sum of the series of `name` whose labels hold `label`; 0 when there is none. */
export async function metricSum(adminUrl: string, name: string, label = ''): Promise<number> {
  const response = await fetch(`${adminUrl}/metrics`);
  if (!response.ok) throw new Error(`${adminUrl}/metrics answered ${response.status}`);
  return (await response.text())
    .split('\n')
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
