// Sends one login from each of many source addresses of 127.0.0.0/8: a program of its own, so that its sockets are not in our memory.
import { createSocket } from 'node:dgram';

// node flood.ts <port> <first> <count> <login in hex>
const [port = 0, first = 0, count = 0] = process.argv.slice(2, 5).map(Number);
const request = Buffer.from(process.argv[5] ?? '', 'hex');
const answered = { count: 0 };
const atOnce = 64;
const patienceMs = 1000;

/** Source i: 127.0.0.0/9 are access servers, 127.128.0.0/9 strangers who get no answer. */
function addressOf(i: number): string {
  const host = 1 + (i >> 1);
  return `127.${(i & 1) * 128 + ((host >> 16) & 127)}.${(host >> 8) & 255}.${host & 255}`;
}

function login(i: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const isStranger = (i & 1) === 1;
    const close = () => socket.close(() => resolve());
    const timer = setTimeout(close, patienceMs);
    socket.on('error', reject);
    socket.on('message', () => {
      answered.count++;
      clearTimeout(timer);
      close();
    });
    socket.bind(0, addressOf(i), () => {
      socket.send(request, port, '127.0.0.1', (error) => {
        if (error) return reject(error);
        if (!isStranger) return;
        clearTimeout(timer);
        close();
      });
    });
  });
}

for (let i = first; i < first + count; i += atOnce) {
  const group = Array.from({ length: Math.min(atOnce, first + count - i) }, (_, place) => login(i + place));
  await Promise.all(group);
}
process.stdout.write(String(answered.count));
