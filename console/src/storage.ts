interface Kept extends Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  /** Whether it outlives the page. */
  readonly isLasting: boolean;
}

/** A browser may forbid pages to keep anything. Then it is kept only while the page is open. */
function keptBy(find: () => Storage): Kept {
  try {
    const storage = find();
    storage.getItem('');
    return {
      isLasting: true,
      getItem: (name) => storage.getItem(name),
      setItem: (name, value) => storage.setItem(name, value),
      removeItem: (name) => storage.removeItem(name),
    };
  } catch {
    const kept = new Map<string, string>();
    return {
      isLasting: false,
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => void kept.set(name, value),
      removeItem: (name) => void kept.delete(name),
    };
  }
}

/** For this tab, until it is closed. */
export const ofTab = keptBy(() => sessionStorage);

/** For all tabs of this browser. */
export const ofBrowser = keptBy(() => localStorage);
