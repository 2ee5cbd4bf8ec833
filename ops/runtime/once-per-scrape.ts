// Reads once what several metrics of one scrape are made of.

/** How long what was read serves the further metrics of a scrape. */
const sameScrapeMs = 200;

export function oncePerScrape<T>(read: () => Promise<T>): () => Promise<T> {
  let latest: Promise<T> | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (latest && performance.now() - askedAtMs <= sameScrapeMs) return latest;
    askedAtMs = performance.now();
    latest = read();
    return latest;
  };
}
