interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** What the SDK uses of a page's `window`; workers have no document, other platforms have nothing of it. */
export interface Page extends Partial<EventSource> {
  readonly document?: (EventSource & { readonly visibilityState: string }) | undefined;
}

/** The page that the SDK runs in; on other platforms an object that lacks what a page has. */
export function platformPage(): Page {
  const { window }: { readonly window?: Page } = globalThis;
  return window ?? globalThis;
}

/**
 * Calls `task` when an attempt may have better chances than before: the network is back, or the page is shown again. The
 * returned function removes all listeners. Where there are no such events it does nothing.
 */
export function onReturn(page: Page, task: () => void): () => void {
  const { document } = page;
  const shown = () => {
    if (document?.visibilityState === 'visible') task();
  };
  const listeners = [
    [page, 'online', task],
    [page, 'pageshow', task],
    [document, 'visibilitychange', shown],
  ] as const;
  for (const [source, type, listener] of listeners) source?.addEventListener?.(type, listener);
  return () => {
    for (const [source, type, listener] of listeners) source?.removeEventListener?.(type, listener);
  };
}
