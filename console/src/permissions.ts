import { useEffect } from 'preact/hooks';
import { actionOf, CallError } from './api/calls.ts';
import { OPERATIONS, type OperationName, type Outputs } from './api/operations.ts';
import { type Place, place } from './place.ts';
import { session } from './session.ts';
import { signal, useSignal } from './store.ts';
import { t } from './texts/language.ts';

/** The actions that the key's policies deny, and at which place. */
interface Known {
  readonly at: Place;
  readonly denied: ReadonlyMap<string, string>;
}

/** What the server said last, which may be about the place before; undefined until it has said anything. */
const answered = signal<Known | undefined>(undefined);

/** How long after an unanswered call the server is asked again. */
const ASK_AGAIN_MS = 5_000;

/** The games, and of each the stages, that the key's policies name, for a key that may not list them. */
export const namedGames = signal<Outputs['ListPermissions']['Games']>([]);

// What another key may do, and what its policies name, says nothing about this one, not even for the first rendering: pages
// would make calls that the key may not make, which are put on record.
session.subscribe(() => {
  answered.set(undefined);
  namedGames.set([]);
});

/** Asks what the key may do, whenever another person signs in or another game or stage is looked at. */
export function usePermissions(): void {
  const signedIn = useSignal(session);
  const { game, stage } = useSignal(place);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const at = { game, stage };
    const input = game === '' ? {} : stage === '' ? { GameName: game } : { GameName: game, StageName: stage };
    const ask = () =>
      signedIn?.call('ListPermissions', input, abort.signal).then(
        ({ Denied = [], Games = [] }) => {
          namedGames.set(Games);
          answered.set({ at, denied: new Map(Denied.map(({ Action = '', Reason = '' }) => [Action, Reason])) });
        },
        // A person whose policies do not allow the question sees everything, and learns from each call what is not allowed. The
        // same goes while the server does not answer: each call then says so, and must not wait for this one.
        (error) => {
          if (abort.signal.aborted) return;
          namedGames.set([]);
          answered.set({ at, denied: new Map() });
          const isAnswer = error instanceof CallError && error.status !== 0 && error.status < 500;
          if (!isAnswer) timer = setTimeout(ask, ASK_AGAIN_MS);
        },
      );
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [signedIn, game, stage]);
}

/** Whether the server has said what the key may do: at this place, or at any where a page is about none. */
export function useIsKnown({ isOfStage }: { readonly isOfStage: boolean }): boolean {
  const known = useSignal(answered);
  const { game, stage } = useSignal(place);
  return known !== undefined && (!isOfStage || (known.at.game === game && known.at.stage === stage));
}

/** Says why the key may not make a call, null when it may, and undefined when what is known is of another place. */
function useReason(): (name: OperationName) => string | null | undefined {
  const known = useSignal(answered);
  const { game, stage } = useSignal(place);
  return (name) => {
    if (known === undefined) return undefined;
    const [, path] = OPERATIONS[name];
    const isOther =
      (path.includes('{GameName}') && known.at.game !== game) ||
      (path.includes('{StageName}') && known.at.stage !== stage);
    return isOther ? undefined : (known.denied.get(actionOf(name)) ?? null);
  };
}

/** Why the key may not make one of these calls; undefined when it may make them all. */
export function useMay(...names: readonly OperationName[]): string | undefined {
  const reasonOf = useReason();
  const name = names.find((each) => typeof reasonOf(each) === 'string');
  if (name === undefined) return undefined;
  const text = reasonOf(name) === 'EXPLICIT_DENY' ? 'deniedExplicitly' : 'deniedByDefault';
  return t(text, { action: actionOf(name) });
}

/** Which of these calls the key may make, for what is asked for at once. All of them until its policies are known. */
export function useAllowed(): (...names: readonly OperationName[]) => boolean {
  const reasonOf = useReason();
  return (...names) => !names.some((name) => typeof reasonOf(name) === 'string');
}

/**
 * Which of these calls the key may make, for calls that the console makes by itself and for what must not be shown and
 * then vanish. None of them until its policies are known.
 */
export function useSurelyAllowed(): (...names: readonly OperationName[]) => boolean {
  const reasonOf = useReason();
  return (...names) => names.every((name) => reasonOf(name) === null);
}
