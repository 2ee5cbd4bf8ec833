// Says that something long begins, and now and then that it still lasts.

const everyMs = 5000;

export async function saying<T>(say: (line: string) => void, what: string, work: () => Promise<T>): Promise<T> {
  say(what);
  const beganAt = performance.now();
  const timer = setInterval(() => {
    say(`  still ${what.trim()} after ${Math.round((performance.now() - beganAt) / 1000)} s`);
  }, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
