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

/** The candidate that takes the fewest edits; undefined when it takes more than three and was probably not meant. */
function findNearest(wrong: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: countEdits(wrong, candidate) }))
    .sort((one, other) => one.edits - other.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= 3 ? best.candidate : undefined;
}

/** Insertions, deletions and substitutions between two strings (Levenshtein). */
function countEdits(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...to].entries()) {
      const substituted = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(substituted, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
