/** How much TLS proves about the server: nothing without it; `require` only encrypts. */
const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

export type TlsMode = (typeof TLS_MODES)[number];

/** Where a PostgreSQL database is, and who signs in to it. */
export interface DatabaseAddress {
  /** A name or an address; the directory of a Unix socket begins with a slash. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Undefined when the server asks for none, or when the variable `PGPASSWORD` has it. */
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: TlsMode;
}

const PARAMETERS = ['host', 'sslmode'];
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/** Reads a postgres:// URL. What is wrong with one is a text that shows nothing of the URL, which may hold a password. */
export function parseDatabaseAddress(text: string): DatabaseAddress | string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'it is not a URL; percent-encode what is special in it, such as @, / and # of a password';
  }
  if (!/^postgres(?:ql)?:$/.test(url.protocol)) return 'it must begin with postgres://';
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) return `of the parameters behind "?" only ${PARAMETERS.join(' and ')} are known`;
  try {
    return read(url);
  } catch {
    return 'its percent-encoding is broken';
  }
}

function read(url: URL): DatabaseAddress | string {
  const host = url.searchParams.get('host') ?? (decodeURIComponent(url.hostname) || 'localhost');
  if (host.includes(',')) return 'it must name one host; a fail-over moves that name, or is behind a proxy';
  const [user, database] = [url.username, url.pathname.slice(1)].map(decodeURIComponent);
  if (!user) return 'it names no user: postgres://USER:PASSWORD@HOST/DATABASE';
  if (!database) return 'it names no database: postgres://USER:PASSWORD@HOST/DATABASE';
  // As in a password that was not encoded.
  if (/[/@]/.test(url.pathname.slice(1)))
    return 'percent-encode what is special in it, such as @, / and # of a password';
  const isNear = host.startsWith('/') || LOOPBACK.test(host);
  const asked = url.searchParams.get('sslmode') ?? (isNear ? 'disable' : 'verify-full');
  const tls = TLS_MODES.find((mode) => mode === asked);
  if (tls === undefined) return `sslmode must be ${TLS_MODES.join(', ').replace(/, (?=\S+$)/, ' or ')}`;
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 5432),
    user,
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    database,
    tls,
  };
}
