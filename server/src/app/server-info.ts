import { readFileSync } from 'node:fs';
import { API_VERSION } from '../api/service-model.ts';
import type { Settings } from '../config/config.ts';
import type { ServerInfo } from '../domain/server-info.ts';

/** Feature → whether this server has it. Each new capability adds a row; a published name never changes its meaning. */
function featuresOf(settings: Settings): Readonly<Record<string, boolean>> {
  return {
    'audit-records': true,
    'browser-players': settings.allowedOrigins.length > 0,
    'disconnect-orders': true,
    'metrics-listener': settings.metricsPort !== undefined,
    'player-listener': settings.playerPort !== undefined,
    receipts: true,
  };
}

export function createServerInfo({
  settings,
  cluster,
}: {
  settings: Settings;
  cluster: { readonly node: string };
}): () => ServerInfo {
  const version = readVersion();
  const features = Object.entries(featuresOf(settings)).flatMap(([name, isThere]) => (isThere ? [name] : []));
  return () => ({ version, apiVersion: API_VERSION, node: cluster.node, features });
}

/** The version of this program. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return String(version);
}
