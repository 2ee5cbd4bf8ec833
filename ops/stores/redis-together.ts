// What is asked of Redis in one turn of the event loop leaves in one write. ioredis' own pipelining does that too, but takes half as much
// processor time again, and what it sent and received survives until the whole heap is searched (bench/README.md, "What profiling found").
import type { Redis } from 'ioredis';

/**
 * Holds what this client writes back until the turn is over. Not for a cluster: there a second command to a node whose connection does not
 * stand yet would be refused, which a pipeline is not.
 */
export function sendTogether(redis: Redis): Redis {
  const send = redis.sendCommand;
  let held: Redis['stream'] | undefined;
  redis.sendCommand = (command, pipeline) => {
    // Another one after each reconnect.
    const { stream } = redis;
    if (stream && held !== stream) {
      held = stream;
      stream.cork();
      setImmediate(() => {
        if (held === stream) held = undefined;
        stream.uncork();
      });
    }
    return send.call(redis, command, pipeline);
  };
  return redis;
}
