import { findNearest } from '../nearest.ts';
import type { NamedSetting } from './setting.ts';

/** A fault for each `RESPARK_…` variable that is neither one of these settings nor put there by Kubernetes. */
export function findUnknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  settings: readonly Pick<NamedSetting, 'env' | 'isSecret'>[],
): string[] {
  const known = settings.flatMap(({ env, isSecret }) => (isSecret ? [env, `${env}_FILE`] : [env]));
  return Object.entries(env)
    .filter(([name]) => name.startsWith('RESPARK_') && !known.includes(name))
    .filter(([name, value]) => !isKubernetesVariable(name, value))
    .map(([name]) => {
      const nearest = findNearest(name, known);
      const advice = nearest === undefined ? 'unset it; "respark config print" lists every setting' : `use ${nearest}`;
      return `${name} is not a setting (from the environment); ${advice}`;
    });
}

/** What to do when a bad value was put into the setting's own variable by Kubernetes; undefined for any other value. */
export function findKubernetesAdvice(
  { env, flag }: Pick<NamedSetting, 'env' | 'flag'>,
  text: string,
): string | undefined {
  if (!env.endsWith('_PORT') || !/^\w+:\/\//.test(text)) return undefined;
  const service = env.slice(0, -'_PORT'.length).toLowerCase().replaceAll('_', '-');
  return `Kubernetes sets it for a Service named "${service}"; rename the Service, set enableServiceLinks: false in the pod, or give ${flag}`;
}

/** Whether Kubernetes sets this variable in the environment of a pod for a Service whose name begins with "respark". */
function isKubernetesVariable(name: string, value: string | undefined): boolean {
  if (/^RESPARK_(?:\w+_)?PORT$/.test(name) && /^\w+:\/\//.test(value ?? '')) return true;
  return /^RESPARK_(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/.test(name);
}
