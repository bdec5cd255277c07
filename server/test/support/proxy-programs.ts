import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { isExecutable } from './chromium.ts';
import type { Workplace } from './process.ts';
import { until } from './server.ts';
import { tlsFiles } from './tls-files.ts';

/** Seen from dist/test/support. */
const GUIDE = readFileSync(new URL('../../../../docs/deploying.md', import.meta.url), 'utf8');

export type ProxyProgram = 'nginx' | 'haproxy' | 'caddy';

/** The program, if it is installed; Debian's are not on every search path. */
export function findProxy(program: ProxyProgram): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return directories.map((directory) => join(directory, program)).find(isExecutable);
}

/** The blocks in this language of the guide to deploying, in order. */
export function snippets(language: 'nginx' | 'haproxy' | 'caddyfile'): readonly string[] {
  return [...GUIDE.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, block = '']) =>
    name === language ? [block] : [],
  );
}

/** A text in which each of these words was found, and replaced. */
export function replaced(text: string, words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((before, [word, by]) => {
    if (!before.includes(word)) throw new Error(`the configuration has no "${word}":\n${before}`);
    return before.replaceAll(word, by);
  }, text);
}

/** How each program is run with a configuration that is only a part of what it needs. */
const PROGRAMS: Readonly<
  Record<
    ProxyProgram,
    { file: string; whole: (config: string, directory: string) => string; args: (file: string) => string[] }
  >
> = {
  nginx: {
    file: 'nginx.conf',
    whole: (config, directory) => `daemon off; user root; pid ${directory}/nginx.pid; error_log stderr;
      events {}
      http {
        access_log off;
        client_body_temp_path ${directory}/bodies;
        proxy_temp_path ${directory}/replies;
        fastcgi_temp_path ${directory}/fastcgi;
        scgi_temp_path ${directory}/scgi;
        uwsgi_temp_path ${directory}/uwsgi;
        ${config}
      }`,
    args: (file) => ['-e', 'stderr', '-c', file],
  },
  haproxy: {
    file: 'haproxy.cfg',
    whole: (config, directory) => `global\n    stats socket ${directory}/haproxy.sock\n\n${config}`,
    args: (file) => ['-db', '-f', file],
  },
  caddy: {
    file: 'Caddyfile',
    whole: (config) => `{\n    admin off\n    auto_https disable_redirects\n    skip_install_trust\n}\n${config}`,
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
};

/** Starts the program with the configuration, which listens on the port; resolves as soon as it does. */
export async function startProxy(
  workplace: Workplace,
  { program, path, config, port }: { program: ProxyProgram; path: string; config: string; port: number },
): Promise<void> {
  const { file, whole, args } = PROGRAMS[program];
  const configFile = join(workplace.directory, file);
  writeFileSync(configFile, whole(config, workplace.directory));
  const running = workplace.start([path, ...args(configFile)]);
  let isListening = false;
  let end: unknown;
  void running.ended().then(
    (ended) => {
      end = ended;
    },
    () => {},
  );
  const knock = () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      isListening = true;
      socket.destroy();
    });
    socket.on('error', () => end === undefined && setTimeout(knock, 20));
  };
  knock();
  await until(
    () => isListening || end !== undefined,
    () => running.err(),
  );
  if (!isListening) throw new Error(`${program} ended: ${JSON.stringify(end)}`);
}

/**
 * Lets clients reach a port from another address of this machine, so that they can be told from the proxy. What
 * `preamble` gives is sent before their own bytes. Resolves with the port at which clients call.
 */
export async function connectFrom(
  t: TestContext,
  { localAddress, port, preamble = '' }: { localAddress: string; port: number; preamble?: string },
): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const proxy = connect({ host: '127.0.0.1', port, localAddress });
    for (const socket of [client, proxy]) sockets.add(socket.on('error', () => socket.destroy()));
    if (preamble !== '') proxy.write(preamble);
    client.pipe(proxy).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** The certificate with its key in one file, as HAProxy wants them. */
export function writeBundle({ directory }: Workplace): string {
  const { certFile, keyFile } = tlsFiles('first');
  const bundle = join(directory, 'bundle.pem');
  writeFileSync(bundle, `${readFileSync(certFile, 'utf8')}${readFileSync(keyFile, 'utf8')}`, { mode: 0o600 });
  return bundle;
}
