import { useEffect, useState } from 'preact/hooks';

/** How long a text must not have changed before it counts. */
const PAUSE_MS = 400;

/** The text once it has not changed for a moment, so that not every keystroke makes a call. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
