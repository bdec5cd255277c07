import { useEffect, useState } from 'preact/hooks';
import { onServer, session } from '../session.ts';
import { useSignal } from '../store.ts';
import { untilSeen } from '../use-call.ts';
import type { AuditRecord } from './audit-table.tsx';

/** How many pages one look reads: one may have nothing of what is asked for, although a later one has. */
const MAX_PAGES = 10;
/** Nodes have clocks of their own, and a record is whole only when its call has ended. */
const OVERLAP_MS = 60_000;

/** The newest records of one operation, newest first, which are looked for repeatedly; undefined until they are known. */
export function useRecords(
  asked: { readonly Operation: string; readonly MaxResults: number; readonly Since?: string } | undefined,
  { everyMs }: { readonly everyMs: number },
): readonly AuditRecord[] | undefined {
  const signedIn = useSignal(session);
  const [records, setRecords] = useState<readonly AuditRecord[]>();
  useEffect(() => {
    setRecords(undefined);
    if (asked === undefined || signedIn === undefined) return;
    const abort = new AbortController();
    const found = new Map<string, AuditRecord>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let since = asked.Since;
    const look = async () => {
      await untilSeen(abort.signal);
      const beganAt = onServer(Date.now());
      let token: string | undefined;
      for (let pages = 0; pages < MAX_PAGES; pages += 1) {
        const input = { ...asked, Since: since, NextToken: token };
        const page = await signedIn.call('ListAuditRecords', input, abort.signal);
        for (const record of page.AuditRecords ?? []) found.set(record.RequestId ?? '', record);
        token = page.NextToken;
        if (token === undefined || found.size >= asked.MaxResults) break;
      }
      // What was read once, which may be long, is not read again.
      since = new Date(beganAt - OVERLAP_MS).toISOString();
      setRecords([...found.values()].sort((a, b) => ((a.Time ?? '') < (b.Time ?? '') ? 1 : -1)));
    };
    const again = async () => {
      // If a look fails, what was found before stays.
      await look().catch(() => undefined);
      if (!abort.signal.aborted) timer = setTimeout(again, everyMs);
    };
    void again();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [signedIn, JSON.stringify(asked), everyMs]);
  return records;
}
