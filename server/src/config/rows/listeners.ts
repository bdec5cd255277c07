import { parseIpRange } from '../../ip-address.ts';
import { withoutCredentials } from '../../text.ts';
import { needs, pair } from '../checks.ts';
import { file, integer, list, text, type ValuesOf, variableOf } from '../setting.ts';

const rows = {
  host: text({
    default: '127.0.0.1',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]+$/,
    help: 'Address that the management API listens on. Players connect to it too, unless they have a port of their own.',
  }),
  port: integer({ default: 8080, min: 0, max: 65_535, help: 'Port of the management API; 0 takes any free port.' }),
  playerHost: text({
    default: '',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]*$/,
    help: "Address of the players' listener, when they have a port of their own; if empty, the same as RESPARK_HOST.",
  }),
  playerPort: integer({
    default: undefined,
    min: 0,
    max: 65_535,
    help: 'Port of a listener for players only; if not set, players connect to the port of the management API.',
  }),
  playerUrl: text({
    default: undefined,
    rule: 'a ws or wss URL without credentials or a query, not ending in /',
    pattern: /^wss?:\/\/[\w.:[\]-]+(?:\/[\w./~-]*[\w.~-])?$/,
    help: 'URL at which players connect, which GetServerInfo tells, and to which the pages of the console may connect for its test harness; SDKs add /connect to one without a path. Unless the console has the same origin, RESPARK_ALLOWED_ORIGINS must list the origin of the console. If not set, players are taken to connect where the management API is.',
  }),
  tlsCertFile: file({ help: 'Certificate chain (PEM) of the management API; reloaded when the file changes.' }),
  tlsKeyFile: file({ help: 'Private key (PEM) of that certificate.' }),
  playerTlsCertFile: file({
    help: "Certificate chain (PEM) of the players' listener; if not set, that of the management API.",
  }),
  playerTlsKeyFile: file({ help: 'Private key (PEM) of that certificate.' }),
  metricsHost: text({
    default: '',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]*$/,
    help: 'Address of the listener for /metrics, /healthz and /readyz; if empty, the same as RESPARK_HOST.',
  }),
  metricsPort: integer({
    default: undefined,
    min: 0,
    max: 65_535,
    help: 'Port of a listener for /metrics, /healthz and /readyz only; if not set, they are on the port of the management API, where only this machine may read /metrics.',
  }),
  publicUrl: text({
    default: undefined,
    rule: 'an http or https URL without credentials or a query, not ending in /',
    pattern: /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*[^\s?#/])?$/,
    help: 'URL at which clients reach the management API, for the URLs of downloads; if not set, each caller gets URLs of the host that it called. Calls may be signed for its host and path even if a proxy sends a Host of its own or takes the path off.',
  }),
  trustedProxies: list({
    rule: 'addresses or CIDR ranges, separated by commas',
    isItem: (item) => parseIpRange(item) !== undefined,
    help: 'Proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host headers are trusted. They must send X-Forwarded-For: without an address in it players are refused, and policies deny whatever depends on the address.',
  }),
};

export const listeners = {
  title: 'Listeners',
  rows,
  checks: [
    pair('tlsCertFile', 'tlsKeyFile'),
    pair('playerTlsCertFile', 'playerTlsKeyFile'),
    needs('playerHost', 'playerPort', 'players have no listener of their own'),
    needs('playerTlsCertFile', 'playerPort', 'players have no listener of their own'),
    findSharedPort,
    findUnreadableUrl('publicUrl'),
    findUnreadableUrl('playerUrl'),
  ],
};

function findSharedPort({ host, port, playerHost, playerPort }: ValuesOf<typeof rows>): string | undefined {
  if (playerPort === undefined || playerPort === 0 || playerPort !== port) return undefined;
  if (playerHost !== '' && playerHost !== host) return undefined;
  const [players, main] = [`${variableOf('playerPort')} (${playerPort})`, `${variableOf('port')} (${port})`];
  return `${players} must differ from ${main}; unset it to serve both on one port`;
}

function findUnreadableUrl(key: 'publicUrl' | 'playerUrl') {
  return (settings: ValuesOf<typeof rows>): string | undefined => {
    const url = settings[key];
    if (url === undefined || URL.canParse(url)) return undefined;
    return `${variableOf(key)} (${withoutCredentials(url)}) is no URL that a client could call; check its host and port`;
  };
}
