import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Tells the process that started this one where the server listens, and what else players must know. */
export function reportReady(server: Server, facts: Readonly<Record<string, string>> = {}): void {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, ...facts })}\n`);
}
