// What a process counts, read from its /metrics.

export type Metrics = {
  /** Sum of the series of `name` whose labels hold `label`; 0 when there is none. */
  sum(name: string, label?: string): number;
};

export async function readMetrics(adminUrl: string): Promise<Metrics> {
  const response = await fetch(`${adminUrl}/metrics`);
  if (!response.ok) throw new Error(`${adminUrl}/metrics answered ${response.status}`);
  const lines = (await response.text()).split('\n');
  return {
    sum: (name, label = '') =>
      lines
        .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0),
  };
}
