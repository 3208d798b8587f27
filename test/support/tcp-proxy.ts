import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server on loopback that can be cut, or go silent. */
export interface TcpProxy {
  port: number;
  /** Lets new connections through again. Those that went silent stay so, as after a router lost them. */
  open(): void;
  /** Resets every connection, and each new one. */
  cut(): void;
  /** Swallows what comes, on every connection there is and each new one: nobody hears anything. */
  silence(): void;
  /** Connections that are silent. */
  silent(): number;
  close(): Promise<void>;
}

/** Opens a way to `port`. */
export async function openTcpProxy(targetPort: number): Promise<TcpProxy> {
  let mode: 'OPEN' | 'CUT' | 'SILENT' = 'OPEN';
  const pairs = new Set<{ sockets: Socket[]; isSilent: boolean }>();

  const server = createServer((near) => {
    near.on('error', () => {});
    if (mode === 'CUT') {
      near.resetAndDestroy();
      return;
    }
    const pair = { sockets: [near], isSilent: mode === 'SILENT' };
    pairs.add(pair);
    near.on('close', () => {
      pairs.delete(pair);
      for (const socket of pair.sockets) socket.destroy();
    });
    if (pair.isSilent) {
      near.resume();
      return;
    }
    const far = connect(targetPort, '127.0.0.1');
    pair.sockets.push(far);
    far.on('error', () => {});
    far.on('close', () => {
      if (!pair.isSilent) near.destroy();
    });
    near.on('data', (bytes) => {
      if (!pair.isSilent) far.write(bytes);
    });
    far.on('data', (bytes) => {
      if (!pair.isSilent) near.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  function cutAll(): void {
    for (const { sockets } of pairs) for (const socket of sockets) socket.resetAndDestroy();
  }

  return {
    port: (server.address() as AddressInfo).port,
    open: () => {
      mode = 'OPEN';
    },
    cut: () => {
      mode = 'CUT';
      cutAll();
    },
    silence: () => {
      mode = 'SILENT';
      for (const pair of pairs) pair.isSilent = true;
    },
    silent: () => [...pairs].filter(({ isSilent }) => isSilent).length,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        cutAll();
      }),
  };
}
