import { useCallback, useEffect, useState } from 'preact/hooks';
import { CallError } from './api/calls.ts';
import type { Inputs, OperationName, Outputs } from './api/operations.ts';
import { failureWords, isQuestion } from './failure-words.ts';
import { say } from './said.ts';
import { session } from './session.ts';
import { useSignal } from './store.ts';
import { useIsGone } from './use-is-gone.ts';

export interface Answer<T> {
  /** What was answered last; it stays while the next answer is under way, and when that fails. */
  readonly data: T | undefined;
  readonly error: CallError | undefined;
  readonly isLoading: boolean;
  /** Whether it was asked for again, so that what is there is from before that. */
  readonly isReloading: boolean;
  reload(): void;
}

/** Resolves when the page is looked at, or when nothing is wanted any more. */
export async function untilSeen(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return;
  await new Promise<void>((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
  });
}

/** What was answered last, to which question and in which round of asking. */
interface Answered<T> extends Omit<Answer<T>, 'isReloading' | 'reload'> {
  readonly asked: string | undefined;
  readonly round: number;
}

/** Makes a call when the page opens and whenever its input changes, and again and again if told so. */
export function useCall<N extends OperationName>(
  name: N,
  input: Inputs[N] | undefined,
  { everyMs }: { everyMs?: number } = {},
): Answer<Outputs[N]> {
  const signedIn = useSignal(session);
  const asked = JSON.stringify(input);
  const unanswered = { asked, round: 0, data: undefined, error: undefined, isLoading: input !== undefined };
  const [state, setState] = useState<Answered<Outputs[N]>>(unanswered);
  const [round, setRound] = useState(0);
  // `asked` stands for the input, which is another object each time.
  useEffect(() => {
    if (input === undefined || signedIn === undefined) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      if (everyMs !== undefined && !abort.signal.aborted) timer = setTimeout(ask, everyMs);
    };
    const ask = async () => {
      // A page in the background is not looked at, so it costs the server nothing until it is.
      await untilSeen(abort.signal);
      if (abort.signal.aborted) return;
      try {
        const data = await signedIn.call(name, input, abort.signal);
        setState({ asked, round, data, error: undefined, isLoading: false });
      } catch (error) {
        if (abort.signal.aborted) return;
        setState((before) => ({
          asked,
          round,
          data: before.asked === asked ? before.data : undefined,
          error: asCallError(name, error),
          isLoading: false,
        }));
      }
      again();
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [name, asked, signedIn, everyMs, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  // The answer to another question must not be shown as if it were the answer to this one, not even for one frame.
  const { data, error, isLoading } = state.asked === asked ? state : unanswered;
  return { data, error, isLoading, isReloading: !isLoading && state.round !== round, reload };
}

/**
 * A call that a person makes by a button. Once the person has signed out, no call begins any more, not even the next of
 * several that one press makes, and the next person to sign in sees none of the answers. Whoever has closed the dialog before
 * the answer reads on the page that nothing was done, or that nobody knows.
 */
export function useAction<N extends OperationName>(name: N) {
  const signedIn = useSignal(session);
  const [state, setState] = useState<{ data?: Outputs[N]; error?: CallError; isBusy: boolean }>({ isBusy: false });
  const isGone = useIsGone();
  return {
    ...state,
    reset: () => setState({ isBusy: false }),
    async run(input: Inputs[N]): Promise<Outputs[N] | undefined> {
      if (signedIn === undefined || session.get() !== signedIn) return undefined;
      setState({ isBusy: true });
      try {
        const data = await signedIn.call(name, input);
        if (session.get() !== signedIn) return undefined;
        setState({ isBusy: false, data });
        return data;
      } catch (failure) {
        const error = asCallError(name, failure);
        if (isGone() && session.get() === signedIn && !isQuestion(error)) say(failureWords(error).join(' '), 'bad');
        setState({ isBusy: false, error });
        return undefined;
      }
    },
  };
}

export function asCallError(name: OperationName, error: unknown): CallError {
  return error instanceof CallError ? error : new CallError(name, { message: String(error) });
}
