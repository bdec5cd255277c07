import type { Environment } from '../config/config.ts';

const PROXIES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'] as const;
/** Programs differ in which of the two they read first, so both must say the same. */
export const NO_PROXY_NAMES = ['no_proxy', 'NO_PROXY'] as const;

/** What makes AWS clients send calls to a proxy, which mostly cannot reach a server of this machine or network. */
export interface ProxyDetour {
  /** The variable that names the proxy. */
  readonly variable: string;
  readonly host: string;
  /** The value of `NO_PROXY` with which the calls reach the server, with what is excluded already. */
  readonly noProxy: string;
}

/** Undefined when no variable names a proxy, or when the server's host is excluded from it. */
export function findProxyDetour(env: Environment, endpoint: string): ProxyDetour | undefined {
  const variable = PROXIES.find((name) => env[name]);
  if (variable === undefined || !URL.canParse(endpoint)) return undefined;
  const { hostname, host } = new URL(endpoint);
  // Python compares with the brackets of an IPv6 address, other programs without.
  const names = hostname.startsWith('[') ? [hostname, hostname.slice(1, -1)] : [hostname];
  const lists = NO_PROXY_NAMES.flatMap((name) => (env[name] ? [entriesOf(env[name])] : []));
  const isExcluded = (name: string) => lists.every((list) => list.some((entry) => excludes(entry, name, host)));
  if (lists.length > 0 && names.every(isExcluded)) return undefined;
  return { variable, host: hostname, noProxy: [...new Set([...lists.flat(), ...names])].join(',') };
}

function entriesOf(list: string): string[] {
  return list.split(/[\s,]+/).filter((entry) => entry !== '');
}

/** Ranges of addresses do not count, because few programs understand them. */
function excludes(entry: string, name: string, host: string): boolean {
  const domain = entry.toLowerCase().replace(/^\*?\./, '');
  return entry === '*' || name === domain || host === domain || name.endsWith(`.${domain}`);
}
