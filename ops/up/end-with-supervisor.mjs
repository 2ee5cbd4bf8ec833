// Preloaded into each process of `npm start`: when the supervisor is gone without a word, the process stops itself cleanly.
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel) {
  process.on('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20_000).unref();
  });
  // The channel alone must not keep a finished process alive.
  process.channel.unref();
}
