// What must be cleaned up even when a test process ends before its teardown.

const cleanups = new Set<() => void>();

process.once('exit', () => {
  for (const cleanup of cleanups) cleanup();
});

/** @returns a function that makes it forgotten, for the ordinary way. */
export function onExit(cleanup: () => void): () => void {
  cleanups.add(cleanup);
  return () => void cleanups.delete(cleanup);
}
