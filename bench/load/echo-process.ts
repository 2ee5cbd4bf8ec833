// Answers every request with its own octets and the code of agreement, as fast as Node can: what the generator can reach at most.
import { createSocket } from 'node:dgram';

const socket = createSocket({
  type: 'udp4',
  recvBufferSize: 4 * 1024 * 1024,
  lookup: (address, _options, callback) => callback(null, address, 4),
});
socket.on('message', (message, { port, address }) => {
  message[0] = message[0] === 1 ? 2 : 5;
  socket.send(message, port, address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1', () => process.send?.('listening'));
process.on('disconnect', () => process.exit());
