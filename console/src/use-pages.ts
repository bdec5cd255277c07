import { useEffect, useState } from 'preact/hooks';
import type { CallError } from './api/calls.ts';
import type { Inputs, OperationName, Outputs } from './api/operations.ts';
import { session } from './session.ts';
import { useSignal } from './store.ts';
import { asCallError, useCall } from './use-call.ts';

/** Operations that answer in pages, each of which says how to ask for the next. */
type Paged = { [N in OperationName]: Outputs[N] extends { readonly NextToken?: string } ? N : never }[OperationName];

/** With filters the server may answer pages of few entries; so many are asked for before a person must ask. */
const MAX_PAGES_AT_ONCE = 10;
const ENOUGH = 25;
/** More rows than this help nobody, and a browser would be slow with them. */
const MAX_ITEMS = 2_000;

interface More<T> {
  readonly asked: string;
  readonly items: readonly T[];
  readonly token: string | undefined;
  readonly error?: CallError;
}

/** The entries of the first page, which is asked for again and again if told so, and of those that somebody asked for. */
export function usePages<N extends Paged, T>(
  name: N,
  input: Inputs[N] | undefined,
  itemsOf: (page: Outputs[N]) => readonly T[] | undefined,
  { everyMs }: { everyMs?: number } = {},
) {
  const signedIn = useSignal(session);
  const asked = JSON.stringify(input);
  const [more, setMore] = useState<More<T>>();
  const [isBusy, setBusy] = useState(false);
  const further = more?.asked === asked ? more : undefined;
  // Only the first page can be looked at again: behind others, what is on it would move.
  const first = useCall(name, input, further === undefined && everyMs !== undefined ? { everyMs } : {});
  const own = first.data && (itemsOf(first.data) ?? []);
  const items = own && [...own, ...(further?.items ?? [])];
  const token = further === undefined ? first.data?.NextToken : further.token;

  async function load(): Promise<void> {
    if (signedIn === undefined || input === undefined || token === undefined) return;
    setBusy(true);
    const found: T[] = [...(further?.items ?? [])];
    let next: string | undefined = token;
    let error: CallError | undefined;
    try {
      const enough = found.length + ENOUGH;
      for (let pages = 0; pages < MAX_PAGES_AT_ONCE && next !== undefined && found.length < enough; pages += 1) {
        const page: Outputs[N] = await signedIn.call(name, { ...input, NextToken: next } as Inputs[N]);
        found.push(...(itemsOf(page) ?? []));
        next = page.NextToken;
      }
    } catch (thrown) {
      error = asCallError(name, thrown);
    }
    setBusy(false);
    setMore({ asked, items: found, token: next, ...(error && { error }) });
  }

  const isEmptyPage = items?.length === 0 && token !== undefined && further === undefined;
  useEffect(() => {
    if (isEmptyPage) void load();
  }, [isEmptyPage, asked]);

  return {
    items,
    error: further?.error ?? first.error,
    isLoading: first.isLoading || (items?.length === 0 && isBusy),
    isBusy,
    hasMore: token !== undefined && (items?.length ?? 0) < MAX_ITEMS,
    more: () => void load(),
    reload() {
      setMore(undefined);
      first.reload();
    },
  };
}
