import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { API_VERSION } from '../api/service-model.ts';
import type { Settings } from '../config/config.ts';
import { FEATURES, type Feature, type ServerInfo } from '../domain/server-info.ts';
import { PACKAGE_ROOT } from './package-root.ts';

/** Whether this server has what some servers have, and others do not. */
const SWITCHED: Partial<Record<Feature, (settings: Settings) => boolean>> = {
  'browser-players': ({ allowedOrigins }) => allowedOrigins.length > 0,
  'metrics-listener': ({ metricsPort }) => metricsPort !== undefined,
  'player-listener': ({ playerPort }) => playerPort !== undefined,
};

export function createServerInfo({
  settings,
  cluster,
}: {
  settings: Settings;
  cluster: { readonly node: string };
}): () => ServerInfo {
  const version = readVersion();
  const features = (Object.keys(FEATURES) as Feature[]).filter((name) => SWITCHED[name]?.(settings) ?? true);
  const { playerUrl } = settings;
  return () => ({ version, apiVersion: API_VERSION, node: cluster.node, features, playerUrl });
}

/** The version of this program. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8'));
  return String(version);
}
