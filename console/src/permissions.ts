import { useEffect } from 'preact/hooks';
import { actionOf } from './api/calls.ts';
import type { OperationName, Outputs } from './api/operations.ts';
import { place } from './place.ts';
import { session } from './session.ts';
import { signal, useSignal } from './store.ts';
import { t } from './texts/language.ts';

/** The actions that the key's policies deny at this place; undefined while that is not known. */
const denied = signal<ReadonlyMap<string, string> | undefined>(undefined);

/** The games, and of each the stages, that the key's policies name, for a key that may not list them. */
export const namedGames = signal<Outputs['ListPermissions']['Games']>([]);

// What another key may do, and what its policies name, says nothing of this one, not for the first picture either: pages would
// make calls that the key may not make, which are on record.
session.subscribe(() => {
  denied.set(undefined);
  namedGames.set([]);
});

/** Asks what the key may do, whenever somebody else signs in or another game or stage is looked at. */
export function usePermissions(): void {
  const signedIn = useSignal(session);
  const { game, stage } = useSignal(place);
  useEffect(() => {
    const abort = new AbortController();
    const input = game === '' ? {} : stage === '' ? { GameName: game } : { GameName: game, StageName: stage };
    signedIn?.call('ListPermissions', input, abort.signal).then(
      ({ Denied = [], Games = [] }) => {
        namedGames.set(Games);
        denied.set(new Map(Denied.map(({ Action = '', Reason = '' }) => [Action, Reason])));
      },
      // A key whose policy does not let it ask sees everything, and learns from each call what it may not do.
      () => {
        if (abort.signal.aborted) return;
        namedGames.set([]);
        denied.set(new Map());
      },
    );
    return () => abort.abort();
  }, [signedIn, game, stage]);
}

/** Why the key may not make one of these calls; undefined when it may make them all. */
export function useMay(...names: readonly OperationName[]): string | undefined {
  const known = useSignal(denied);
  const action = names.map(actionOf).find((name) => known?.has(name));
  if (action === undefined) return undefined;
  return t(known?.get(action) === 'EXPLICIT_DENY' ? 'deniedExplicitly' : 'deniedByDefault', { action });
}

/** Which of these calls the key may make, for what is asked for at once. All of them until its policies are known. */
export function useAllowed(): (...names: readonly OperationName[]) => boolean {
  const known = useSignal(denied);
  return (...names) => !names.some((name) => known?.has(actionOf(name)));
}

/**
 * Which of these calls the key may make, for calls that the console makes by itself and for what must not be shown and
 * then vanish. None of them until its policies are known.
 */
export function useSurelyAllowed(): (...names: readonly OperationName[]) => boolean {
  const known = useSignal(denied);
  return (...names) => names.every((name) => known !== undefined && !known.has(actionOf(name)));
}
