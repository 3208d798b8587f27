import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens, and resolves with the port (which port 0 leaves to the system). Rejects where the address is taken or not this machine's. */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

const IDLE_CHECK_MS = 50;

/** Takes no more connections, lets requests that are under way finish, and cuts off those that are not done after `graceMs`. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  // Node closes what is idle now; a kept-alive connection becomes idle only when its request is answered.
  const idle = setInterval(() => {
    server.closeIdleConnections();
  }, IDLE_CHECK_MS);
  const cutOff = setTimeout(() => {
    server.closeAllConnections();
  }, graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  clearInterval(idle);
  clearTimeout(cutOff);
}
