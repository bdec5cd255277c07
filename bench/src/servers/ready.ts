import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Tells the parent process the server's port and whatever else players need to connect. */
export function reportReady(server: Server, facts: Readonly<Record<string, string>> = {}): void {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, ...facts })}\n`);
}
