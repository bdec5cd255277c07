import { parseDatabaseAddress } from '../../database-address.ts';
import { needs } from '../checks.ts';
import { file, integer, type Setting, secret } from '../setting.ts';

const rows = {
  databaseUrl: databaseUrl(
    'PostgreSQL database that keeps everything that survives a restart, so that several nodes may share it; if not set, the data directory keeps it. sslmode may be disable, require, verify-ca or verify-full; the default is verify-full, but disable for this machine and for Unix sockets, which are named as postgres://USER@localhost/DATABASE?host=/DIRECTORY. Every node needs the same RESPARK_SECRET_KEY.',
  ),
  databaseCaFile: file({
    help: "PEM file of the certificate authorities that the database's certificate must come from; if not set, those that Node.js knows.",
  }),
  databasePoolSize: integer({
    default: 10,
    min: 5,
    max: 500,
    help: 'Maximum number of connections of this node to the database, beside one that listens for changes of other nodes.',
  }),
  databaseConnectTimeoutMs: integer({
    default: 5_000,
    min: 100,
    max: 60_000,
    help: 'How long a call waits for a connection to the database; after that it fails, and may be tried again.',
  }),
  databaseStatementTimeoutMs: integer({
    default: 10_000,
    min: 1_000,
    max: 600_000,
    help: 'Longest time that the database may take for one statement, or a write may wait for those of other nodes; after that its call fails, and may be tried again.',
  }),
};

export const database = {
  title: 'The database',
  rows,
  checks: [
    needs(
      'databaseUrl',
      'secretKey',
      'each node would make a secret key of its own, which opens nothing of the others; a database that was copied from a data directory has the key in its secret.key',
    ),
    needs('databaseCaFile', 'databaseUrl', 'there is no database whose certificate it could verify'),
  ],
};

/** A secret, because it may hold a password. */
function databaseUrl(help: string): Setting<string | undefined> {
  const faultOf = (given: string) => {
    const parsed = parseDatabaseAddress(given);
    return typeof parsed === 'string' ? parsed : undefined;
  };
  return {
    ...secret({ rule: 'postgres://USER:PASSWORD@HOST:PORT/DATABASE, perhaps with ?sslmode=…', pattern: /^/, help }),
    parse: (given) => (faultOf(given) === undefined ? given : undefined),
    advise: faultOf,
  };
}
