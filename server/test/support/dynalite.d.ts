declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** A server with the API of DynamoDB, whose tables are in memory. */
  const dynalite: (options: { createTableMs?: number; deleteTableMs?: number; maxItemSizeKb?: number }) => Server;
  export = dynalite;
}
