import { parseIpRange } from '../../ip-address.ts';
import { needs, pair } from '../checks.ts';
import { file, integer, list, text, type ValuesOf, variableOf } from '../setting.ts';

const rows = {
  host: text({
    default: '127.0.0.1',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]+$/,
    help: 'Address that the management API listens on, and players too unless they have a listener of their own.',
  }),
  port: integer({ default: 8080, min: 0, max: 65_535, help: 'Port of the management API; 0 takes any free port.' }),
  playerHost: text({
    default: '',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]*$/,
    help: 'Address that players connect to when they have a port of their own; empty means the same as host.',
  }),
  playerPort: integer({
    default: undefined,
    min: 0,
    max: 65_535,
    help: 'Port of a listener for players alone; not set, they connect to the port of the management API.',
  }),
  tlsCertFile: file({ help: 'Certificate chain (PEM) of the management API; read again when it changes.' }),
  tlsKeyFile: file({ help: 'Private key (PEM) of the certificate.' }),
  playerTlsCertFile: file({
    help: "Certificate chain (PEM) of the players' listener; not set, the management API's.",
  }),
  playerTlsKeyFile: file({ help: "Private key (PEM) of the players' certificate." }),
  metricsHost: text({
    default: '',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]*$/,
    help: 'Address of the listener for /metrics, /healthz and /readyz; empty means the same as host.',
  }),
  metricsPort: integer({
    default: undefined,
    min: 0,
    max: 65_535,
    help: 'Port of a listener for /metrics, /healthz and /readyz alone; not set, the management API serves them, /metrics to this machine only.',
  }),
  publicUrl: text({
    default: undefined,
    rule: 'an http or https URL without credentials or a query, not ending in /',
    pattern: /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*[^\s?#/])?$/,
    help: 'Where clients reach the management API, for the URLs of downloads; not set, the address that it listens on.',
  }),
  trustedProxies: list({
    rule: 'addresses or CIDR ranges, separated by commas',
    isItem: (item) => parseIpRange(item) !== undefined,
    help: 'Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.',
  }),
};

export const listeners = {
  title: 'Listeners',
  rows,
  checks: [
    pair('tlsCertFile', 'tlsKeyFile'),
    pair('playerTlsCertFile', 'playerTlsKeyFile'),
    needs('playerHost', 'playerPort', 'players share the main listener'),
    needs('playerTlsCertFile', 'playerPort', 'players share the main listener'),
    findSharedPort,
  ],
};

function findSharedPort({ host, port, playerHost, playerPort }: ValuesOf<typeof rows>): string | undefined {
  if (playerPort === undefined || playerPort === 0 || playerPort !== port) return undefined;
  if (playerHost !== '' && playerHost !== host) return undefined;
  const [players, main] = [`${variableOf('playerPort')} (${playerPort})`, `${variableOf('port')} (${port})`];
  return `${players} must differ from ${main}; leave it out to serve both on one port`;
}
