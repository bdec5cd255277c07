import { useEffect, useRef, useState } from 'preact/hooks';
import type { CallError } from './api/calls.ts';
import type { Inputs, OperationName, Outputs } from './api/operations.ts';
import { onServer, session } from './session.ts';
import { useSignal } from './store.ts';
import { asCallError, useCall } from './use-call.ts';

/** Operations that answer in pages, each with a token for the next one. */
type Paged = { [N in OperationName]: Outputs[N] extends { readonly NextToken?: string } ? N : never }[OperationName];

/** With filters the server may answer with short pages; this many are read before a person must ask for more. */
const MAX_PAGES_AT_ONCE = 10;
const ENOUGH = 25;
/** More rows than this are of no help, and would make a browser slow. */
const MAX_ITEMS = 2_000;

/** What a person has asked for beyond the first page. */
interface More<T> {
  readonly reading: object;
  /** The first page's entries, too: pages that were read at another time may have gaps between them, or overlap. */
  readonly items: readonly T[];
  readonly token: string | undefined;
  /** When it was first asked for. */
  readonly at: number;
  readonly error?: CallError;
}

/** The entries of the first page, which is read again every `everyMs`, and of the further pages that a person has asked for. */
export function usePages<N extends Paged, T>(
  name: N,
  input: Inputs[N] | undefined,
  itemsOf: (page: Outputs[N]) => readonly T[] | undefined,
  { everyMs }: { everyMs?: number } = {},
) {
  const signedIn = useSignal(session);
  const asked = JSON.stringify(input);
  const { reading, begin } = useReading(asked);
  const [more, setMore] = useState<More<T>>();
  const [busyWith, setBusyWith] = useState<object>();
  const isBusy = busyWith === reading.current;
  const further = more?.reading === reading.current ? more : undefined;
  // Only the first page can be kept live: if it moved, those behind it would not fit.
  const first = useCall(name, input, further === undefined && everyMs !== undefined ? { everyMs } : {});
  const own = first.data && (itemsOf(first.data) ?? []);
  const items = further?.items ?? own;
  const token = further === undefined ? first.data?.NextToken : further.token;

  async function load(): Promise<void> {
    if (signedIn === undefined || input === undefined || token === undefined) return;
    const mine = reading.current;
    const isOver = () => reading.current !== mine || session.get() !== signedIn;
    setBusyWith(mine);
    const at = further?.at ?? onServer(Date.now());
    const found: T[] = [...(items ?? [])];
    let next: string | undefined = token;
    let error: CallError | undefined;
    try {
      const enough = found.length + ENOUGH;
      for (let pages = 0; pages < MAX_PAGES_AT_ONCE && next !== undefined && found.length < enough; pages += 1) {
        const page: Outputs[N] = await signedIn.call(name, { ...input, NextToken: next } as Inputs[N]);
        if (isOver()) return;
        found.push(...(itemsOf(page) ?? []));
        next = page.NextToken;
      }
    } catch (thrown) {
      if (isOver()) return;
      error = asCallError(name, thrown);
    }
    setBusyWith(undefined);
    setMore({ reading: mine, items: found, token: next, at, ...(error && { error }) });
  }

  const isEmptyPage = items?.length === 0 && token !== undefined && further === undefined && !first.isReloading;
  useEffect(() => {
    if (isEmptyPage) void load();
  }, [isEmptyPage, asked]);

  return {
    items,
    error: further === undefined ? first.error : further.error,
    isLoading: first.isLoading || (items?.length === 0 && isBusy),
    // What follows the old first page does not follow the new one.
    isBusy: isBusy || first.isReloading,
    /** When a live list was read that is no longer live, because further pages were asked for. */
    stoodAt: everyMs === undefined ? undefined : further?.at,
    /** How many entries are shown where there are more than the page may show. */
    cutAt: token !== undefined && (items?.length ?? 0) >= MAX_ITEMS ? items?.length : undefined,
    hasMore: token !== undefined && (items?.length ?? 0) < MAX_ITEMS,
    more: () => void load(),
    reload() {
      begin();
      setMore(undefined);
      first.reload();
    },
  };
}

/** Stands for one reading of all pages. It ends when other pages are asked for, when reading starts over, and with the component. */
function useReading(asked: string | undefined) {
  const reading = useRef<object>({});
  const before = useRef(asked);
  const begin = () => {
    reading.current = {};
  };
  if (before.current !== asked) {
    before.current = asked;
    begin();
  }
  useEffect(() => begin, []);
  return { reading, begin };
}
