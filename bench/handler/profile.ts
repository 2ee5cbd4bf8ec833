// Where the time of a piece of work goes, by the sampling profiler of V8.
import { Session } from 'node:inspector/promises';
import path from 'node:path';

export type Share = { readonly where: string; readonly share: number };

const root = path.resolve(import.meta.dirname, '../..');

/** Functions by the time spent in themselves, most first; what is below a thousandth is left out. */
export async function profile(work: () => Promise<unknown>): Promise<Share[]> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  await work();
  const { profile: found } = await session.post('Profiler.stop');
  session.disconnect();
  const spent = new Map<string, number>();
  const nodes = new Map(found.nodes.map((node) => [node.id, node]));
  const callers = new Map(
    found.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.callFrame.functionName] as const)),
  );
  for (const id of found.samples ?? []) {
    const frame = nodes.get(id)?.callFrame;
    if (!frame) continue;
    const file = frame.url.startsWith('file://') ? path.relative(root, new URL(frame.url).pathname) : frame.url;
    // A function of an addon has neither name nor place: who calls it tells what it is.
    const where =
      file || frame.functionName
        ? `${frame.functionName || '(anonymous)'} ${file}`.trim()
        : `native, called by ${callers.get(id)}`;
    spent.set(where, (spent.get(where) ?? 0) + 1);
  }
  const all = found.samples?.length ?? 1;
  return [...spent]
    .map(([where, samples]) => ({ where, share: samples / all }))
    .filter(({ share }) => share >= 0.001)
    .sort((a, b) => b.share - a.share);
}
