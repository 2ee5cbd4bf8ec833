// A process that starts a full copy of the source and stays in the middle of it, to be killed there. Arguments: folder, feed URL.
import { Client } from 'pg';
import { copySource } from '#aaa-server/subscribers/copy.ts';
import { inOneSnapshot } from '#aaa-server/subscribers/source.ts';
import { openStore } from '#aaa-server/subscribers/store.ts';

const [folder = '', feedUrl = ''] = process.argv.slice(2);
const store = openStore(folder);
const client = new Client({ connectionString: feedUrl });
await client.connect();
await inOneSnapshot(client, (state) =>
  copySource({
    client,
    state,
    store,
    confirmed: [],
    nowMs: Date.now,
    onUnreadable: () => {},
    onPage: () =>
      new Promise<void>((resolve) => {
        setTimeout(() => process.stdout.write('in the middle\n'), 100);
        setTimeout(resolve, 60_000);
      }),
  }),
);
